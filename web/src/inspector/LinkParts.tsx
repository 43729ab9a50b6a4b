// What an interface has beyond its name and addresses: its kind's options, the bridge that it is a port of, a bridge's
// ports, and what happens to the frames that it sends.
import { useId, useState } from 'react';
import { useRefusal } from '../app/useRefusal';
import { Words } from '../app/Words';
import { canonicalImpairment, type Impairment, parseImpairment } from '../model/impair';
import { hasMAC, type Interface, interfacesOf, switchID } from '../model/lab';
import { canonicalOptions, optionsOf, parseOptions, writeOptions } from '../model/options';
import { capital, problemOf } from '../model/problem';
import * as shell from '../model/shell';
import { isBox, isBridge } from '../model/things';
import { bridgeOf, canonicalVLANs, vlansIn, writeVLANs } from '../model/vlans';
import { edit, select } from '../session/actions';
import { useLab } from '../session/stores';
import type { Lab } from '../wire/types.gen';
import { EditableValue } from './Editable';

/** Why a control that needs something of the kernel does nothing here. */
export function useLacking(feature: string | undefined): string | undefined {
	return useLab((s) => {
		const f = feature ? s.features[feature] : undefined;
		if (!f || f.answer === 'yes') return undefined;
		if (f.answer === 'no') return capital((f.reason ?? `this kernel has no ${feature}`).replace(/\.?$/, '.'));
		return `Could not find out whether ${feature} works (${f.reason ?? 'no answer'}).`;
	});
}

export function Options({ lab, i }: { lab: Lab; i: Interface }) {
	const options = optionsOf(i.kind);
	const lacking = useLacking('vlan_filtering');
	if (!options || options.length === 0) return null;
	let values: Record<string, string> = {};
	problemOf(() => {
		values = parseOptions(i.kind, i.options ?? '');
	});
	const written = (name: string, text: string) => {
		const { [name]: _, ...others } = values;
		return writeOptions(i.kind, text === '' ? others : { ...others, [name]: text });
	};
	return (
		<dl className="options" data-testid={`options-${i.name}`}>
			{options.map((o) => {
				const value = values[o.name] ?? o.default ?? '';
				const off = o.feature === 'vlan_filtering' ? lacking : undefined;
				const why = off ?? (o.fixed ? 'the kernel does not change it while the link lives' : undefined);
				return (
					<div
						key={o.name}
						className={values[o.name] !== undefined && values[o.name] !== o.default ? 'is-changed' : ''}
					>
						<dt title={o.about}>{o.name}</dt>
						<dd>
							{why ? (
								<Unavailable label={`${o.name} of ${i.name}`} value={value} why={why} />
							) : (
								<EditableValue
									label={`${o.name} of ${i.name}`}
									value={value}
									check={(text) => canonicalOptions(i.kind, written(o.name, text))}
									command={(text) => shell.setOptions(lab, i, `${o.name} ${text || o.default}`)}
									apply={(text, outcome) =>
										edit([{ updateInterface: { id: i.id, options: written(o.name, text) } }], outcome)
									}
								/>
							)}
							{o.about && <span className="small">{o.about}</span>}
						</dd>
					</div>
				);
			})}
		</dl>
	);
}

/** A value that cannot be changed here: reachable, and says why. */
function Unavailable({ label, value, why }: { label: string; value: string; why: string }) {
	const id = useId();
	return (
		<>
			<button
				type="button"
				className="editable mono"
				aria-disabled="true"
				aria-label={`${label}: ${value}`}
				aria-describedby={id}
				title={why}
			>
				{value}
			</button>
			<span id={id} className="sr-only">
				{why}
			</span>
		</>
	);
}

/** The bridge that an interface is a port of, as a choice; a LAN's ports have none. */
export function Master({ lab, i }: { lab: Lab; i: Interface }) {
	const [refusal, setRefusal] = useRefusal();
	const bridges = interfacesOf(lab, i.node).filter((b) => isBox(lab, b) && b.id !== i.id);
	if (!hasMAC(i) || isBridge(i.kind) || lab.nodes[i.node]?.kind === 'lan') return null;
	if (bridges.length === 0 && !i.master) return null;
	return (
		<>
			<dt>port of</dt>
			<dd>
				<select
					aria-label={`Bridge that ${i.name} is a port of`}
					data-testid={`master-${i.name}`}
					value={i.master ?? ''}
					title={shell.setMaster(lab, i, i.master ? '' : (bridges[0]?.id ?? ''))}
					onChange={(e) => edit([{ updateInterface: { id: i.id, master: e.target.value } }], { refused: setRefusal })}
				>
					<option value="">no bridge</option>
					{bridges.map((b) => (
						<option key={b.id} value={b.id}>
							{b.name}
						</option>
					))}
				</select>
				{refusal && (
					<span className="field-problem" role="alert">
						<Words text={refusal} />
					</span>
				)}
			</dd>
		</>
	);
}

/** In which VLANs a bridge's port is, or the bridge itself. */
export function VLANs({ lab, i }: { lab: Lab; i: Interface }) {
	const lacking = useLacking('vlan_filtering');
	const bridge = bridgeOf(lab, i);
	if (!bridge) return null;
	let filters = false;
	problemOf(() => {
		filters = parseOptions('bridge', bridge.options ?? '').vlan_filtering === '1';
	});
	const why =
		lacking ?? (filters || i.vlans ? undefined : `vlan_filtering of ${bridge.name} is 0: it looks at no VLANs`);
	const value = i.vlans ?? writeVLANs(vlansIn(bridge, ''));
	return (
		<>
			<dt>VLANs</dt>
			<dd data-testid={`vlans-${i.name}`}>
				{why ? (
					<Unavailable label={`VLANs of ${i.name}`} value={value} why={why} />
				) : (
					<EditableValue
						label={`VLANs of ${i.name}`}
						value={value}
						check={canonicalVLANs}
						command={(text) => shell.setVLANs(lab, i, text)}
						apply={(text, outcome) => edit([{ updateInterface: { id: i.id, vlans: text } }], outcome)}
					/>
				)}
			</dd>
		</>
	);
}

/** The ports of a bridge, or of the bridge that a LAN is. */
export function Ports({ lab, bridge }: { lab: Lab; bridge: Interface }) {
	const ports = interfacesOf(lab, bridge.node).filter((i) => i.master === bridge.id);
	const isLAN = bridge.id === switchID(bridge.node);
	return (
		<section className="inspector-part" aria-label={`Ports of ${bridge.name}`} data-testid="ports">
			<h3>Ports</h3>
			<ul className="live-rows mono">
				{ports.map((p) => {
					const c = Object.values(lab.cables).find((cable) => cable.ends.includes(p.id));
					const peer = c && lab.interfaces[c.ends.find((end) => end !== p.id) ?? ''];
					return (
						<li key={p.id}>
							<button type="button" className="plain" onClick={() => select([p.id])}>
								{p.name}
							</button>
							<span className="small">
								{' '}
								{p.port && `${p.port}, `}
								{peer ? `to ${lab.nodes[peer.node]?.name}:${peer.name}` : p.kind} {peer?.addresses.join(' ')}
							</span>
						</li>
					);
				})}
				{ports.length === 0 && <li className="small">none: draw a cable onto it</li>}
			</ul>
			{!isLAN && bridge.addresses.length === 0 && (
				<p className="small">Without an address, {lab.nodes[bridge.node]?.name} itself is not in its network.</p>
			)}
		</section>
	);
}

type Field = keyof Omit<Impairment, 'cut'>;

const fields: readonly { name: Field; label: string; unit: string; example: string }[] = [
	{ name: 'rate', label: 'rate', unit: '', example: '1mbit' },
	{ name: 'delay', label: 'delay', unit: '', example: '100ms' },
	{ name: 'jitter', label: 'jitter', unit: '', example: '10ms' },
	{ name: 'loss', label: 'loss', unit: '%', example: '2%' },
	{ name: 'duplicate', label: 'duplicate', unit: '%', example: '1%' },
	{ name: 'corrupt', label: 'corrupt', unit: '%', example: '1%' },
	{ name: 'reorder', label: 'reorder', unit: '%', example: '25%' },
];

/** An impairment's words by field: "100ms" of delay. */
function wordsOf(text: string): Partial<Record<Field, string>> {
	const words = text.split(' ').filter((w) => w !== '' && w !== 'cut');
	const found: Partial<Record<Field, string>> = {};
	for (let at = 0; at < words.length; at += 2) {
		found[words[at] as Field] = words[at + 1] ?? '';
		const next = words[at + 2];
		if (words[at] === 'delay' && next && /^\d/.test(next)) {
			found.jitter = next;
			at++;
		}
	}
	return found;
}

function textOf(words: Partial<Record<Field, string>>): string {
	return fields
		.flatMap(({ name, unit }) => {
			const word = words[name]?.trim();
			if (!word || name === 'jitter') return [];
			const value = unit && /^[\d.]+$/.test(word) ? `${word}${unit}` : word;
			return name === 'delay' && words.jitter?.trim() ? ['delay', value, words.jitter.trim()] : [name, value];
		})
		.join(' ');
}

/** What happens to the frames that an interface sends: one direction of its cable. */
export function Impair({ lab, i, towards }: { lab: Lab; i: Interface; towards: string }) {
	const text = i.impair ?? '';
	const [draft, setDraft] = useState<Partial<Record<Field, string>>>();
	const [refusal, setRefusal] = useRefusal();
	const netem = useLacking('netem');
	const tbf = useLacking('tbf');
	const cut = text === 'cut';
	const words = draft ?? wordsOf(text);
	const next = textOf(words);
	const problem = draft ? problemOf(() => parseImpairment(next))?.message : undefined;
	const apply = (impair: string) => {
		setRefusal(undefined);
		edit([{ updateInterface: { id: i.id, impair } }], { refused: setRefusal, done: () => setDraft(undefined) });
	};
	const lackFor = (name: Field) => (name === 'rate' ? tbf : netem);
	const whys = [...new Set(fields.flatMap((f) => lackFor(f.name) ?? []))];
	const whyID = useId();
	return (
		<section
			className="inspector-part impair"
			aria-label={`From ${lab.nodes[i.node]?.name} to ${towards}`}
			data-testid={`impair-${i.name}`}
		>
			<h3>
				{lab.nodes[i.node]?.name} → {towards}
				<button
					type="button"
					role="switch"
					aria-checked={cut}
					className="switch"
					data-testid={`cut-${i.name}`}
					title={shell.impair(lab, i, cut ? '' : 'cut')}
					onClick={() => apply(cut ? '' : 'cut')}
				>
					cut
				</button>
			</h3>
			<div className="impair-fields">
				{fields.map((f) => {
					const lacking = lackFor(f.name);
					return (
						<label key={f.name}>
							<span>{f.label}</span>
							<input
								value={words[f.name] ?? ''}
								placeholder={lacking ? 'off' : f.example}
								readOnly={lacking !== undefined || cut}
								aria-disabled={lacking !== undefined || cut}
								aria-describedby={lacking ? whyID : undefined}
								title={lacking}
								data-testid={`impair-${i.name}-${f.name}`}
								spellCheck={false}
								autoComplete="off"
								onChange={(e) => {
									setRefusal(undefined);
									setDraft({ ...words, [f.name]: e.target.value });
								}}
								onKeyDown={(e) => {
									e.stopPropagation();
									if (e.key === 'Enter' && draft && !problem) apply(canonicalImpairment(next));
									if (e.key === 'Escape') setDraft(undefined);
								}}
							/>
						</label>
					);
				})}
			</div>
			{whys.length > 0 && (
				<p id={whyID} className="small">
					{whys.join(' ')}
				</p>
			)}
			{draft && <code className="will-run">{shell.impair(lab, i, next)}</code>}
			{(problem ?? refusal) && (
				<p className="field-problem" role="alert">
					<Words text={capital(problem ?? refusal ?? '')} />
				</p>
			)}
		</section>
	);
}
