import { useState } from 'react';
import { Words } from '../app/Words';
import { count as countOf, major } from '../model/advice';
import { kinds } from '../model/kinds';
import { labelOf, nodesInOrder } from '../model/lab';
import { hostOf, parseIP } from '../model/names';
import { realInterfaces } from '../model/outline';
import { problemText } from '../model/problem';
import type { Probe } from '../model/state';
import { addressOfNode } from '../model/suggest';
import { arpProbe, cancelProbe, ping } from '../session/actions';
import { showNotes, useNotes } from '../session/notes';
import { useLab, useView } from '../session/stores';
import type { ProbeEvent } from '../wire/types.gen';

/** Ping and ARP from inside a node. */
export function Probes() {
	const probes = useLab((s) => s.probes);
	return (
		<div className="probes">
			<ProbeForm />
			{/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls is reached by keys */}
			<ol className="probe-list" tabIndex={0} aria-label="Probes and what they saw">
				{probes.toReversed().map((p, at) => (
					<Result key={p.id} probe={p} newest={at === 0} />
				))}
				{probes.length === 0 && (
					<li className="dock-empty">Ping any address from any node; the packets cross the cables as you watch.</li>
				)}
			</ol>
		</div>
	);
}

function ProbeForm() {
	const lab = useLab((s) => s.lab);
	const running = useLab((s) => s.status.state === 'running');
	const chosen = useView((v) => v.probeFrom);
	const to = useView((v) => v.probeTo);
	const [count, setCount] = useState(3);
	const nodes = nodesInOrder(lab).filter((n) => kinds[n.kind].runs);
	const firstNamespace = nodes.find((n) => n.in) ?? nodes[0];
	const from = chosen && lab.nodes[chosen] ? chosen : (firstNamespace?.id ?? '');
	const address = parseIP(to.trim()) ? to.trim() : addressOfNode(lab, from, to.trim());
	const valid = address !== undefined;
	const others = Object.values(lab.interfaces).filter((i) => i.node !== from && i.kind !== 'loopback');
	const own = realInterfaces(lab, from);
	return (
		<form
			className="probe-form"
			onSubmit={(e) => {
				e.preventDefault();
				if (running && valid) ping(from, address, count);
			}}
		>
			<label>
				from
				<select value={from} onChange={(e) => useView.setState({ probeFrom: e.target.value })} data-testid="probe-from">
					{nodes.map((n) => (
						<option key={n.id} value={n.id}>
							{labelOf(lab, n.id)}
						</option>
					))}
				</select>
			</label>
			<label>
				to
				<input
					id="probe-to"
					list="probe-addresses"
					value={to}
					placeholder="192.168.15.2"
					spellCheck={false}
					autoComplete="off"
					onChange={(e) => useView.setState({ probeTo: e.target.value })}
					data-testid="probe-to"
				/>
			</label>
			<datalist id="probe-addresses">
				{others.flatMap((i) =>
					i.addresses.map((a) => (
						<option key={`${i.id} ${a}`} value={hostOf(a)}>
							{labelOf(lab, i.node)}:{i.name}
						</option>
					)),
				)}
			</datalist>
			<label>
				count
				<input
					type="number"
					min={1}
					max={100}
					value={count}
					onChange={(e) => setCount(Math.min(100, Math.max(1, Number(e.target.value) || 1)))}
				/>
			</label>
			<button type="submit" className="primary" disabled={!running || !valid} data-testid="ping">
				Ping
			</button>
			{own.length > 0 && parseIP(to.trim())?.length === 4 && (
				<span className="probe-arp">
					{own.slice(0, 4).map((i) => (
						<button
							key={i.id}
							type="button"
							disabled={!running}
							onClick={() => arpProbe(i.id, to.trim())}
							data-testid="arp"
						>
							ARP from {i.name}
						</button>
					))}
				</span>
			)}
			{to !== '' && !valid && (
				<span className="field-problem">
					<Words text={`\`${to}\` is neither an address, as 192.168.15.2, nor a node that has one`} />
				</span>
			)}
			{!running && <span className="small">The lab is stopped.</span>}
		</form>
	);
}

function Result({ probe, newest }: { probe: Probe; newest: boolean }) {
	const from = useLab((s) => {
		const i = s.lab.interfaces[probe.from];
		if (i) return `${labelOf(s.lab, i.node)}:${i.name}`;
		return s.lab.nodes[probe.from] ? labelOf(s.lab, probe.from) : '(gone)';
	});
	const isAnswered = probe.events.some((e) => !e.error);
	return (
		<li data-testid="probe-result">
			<p>
				<code>{probe.kind === 'ping' ? `ping -c${probe.count} ${probe.to}` : `arping ${probe.to}`}</code>{' '}
				<span className="small">in {from}</span>{' '}
				{!probe.reply && probe.kind === 'ping' && (
					<button type="button" className="plain" onClick={() => cancelProbe(probe.id)}>
						Stop
					</button>
				)}
			</p>
			{probe.events.map((e, at) => (
				// biome-ignore lint/suspicious/noArrayIndexKey: events only ever append
				<p key={at} className={`mono ${e.error ? 'field-problem' : ''}`} data-testid="probe-event">
					{eventText(e)}
				</p>
			))}
			{probe.reply && (
				<p
					className={`mono ${probe.reply.problem || !isAnswered ? 'field-problem' : 'summary'}`}
					data-testid="probe-summary"
				>
					{probe.reply.problem ? problemText(probe.reply.problem) : probe.reply.text}
				</p>
			)}
			{probe.reply && !isAnswered && newest && <WhyNot />}
		</li>
	);
}

/** The way from a question without an answer to what is surely not meant in the lab. */
function WhyNot() {
	const notes = useNotes((n) => major(n.list).length);
	if (notes === 0) return null;
	return (
		<p className="small">
			<button type="button" className="plain" onClick={showNotes} data-testid="probe-notes">
				{countOf(notes)}
			</button>{' '}
			may say why.
		</p>
	);
}

function eventText(e: ProbeEvent): string {
	const from = e.from ? ` from ${e.from}` : '';
	if (e.error) return `seq ${e.seq}: ${e.error}${from}`;
	const parts = [`seq ${e.seq}:${e.mac ? ` ${e.from ?? ''} is at ${e.mac}` : from}`];
	if (e.ttl) parts.push(`ttl ${e.ttl}`);
	if (e.rtt !== undefined) parts.push(`time ${e.rtt < 1 ? e.rtt.toFixed(3) : e.rtt.toFixed(2)} ms`);
	return parts.join(' ');
}
