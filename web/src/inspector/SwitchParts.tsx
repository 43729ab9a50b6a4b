// What Open vSwitch has: of a port, what it does with VLANs; of a bridge, what it has learnt and by which flows it goes.
import { Fragment, useMemo } from 'react';
import type { Interface } from '../model/lab';
import * as shell from '../model/shell';
import { canonicalSwitchPort, parseSwitchPort, switchPortWords, vlanModes, writeSwitchPort } from '../model/switchport';
import { edit } from '../session/actions';
import { useLab } from '../session/stores';
import type { Lab, OtherPort, SwitchEntry, SwitchTable } from '../wire/types.gen';
import { EditableValue } from './Editable';
import { useChanging } from './useChanging';

const placeholders = { tag: 'none', trunks: 'all', vlan_mode: 'by tag' } as const;

/** The columns of an OVS bridge's port, as rows of a list of properties. */
export function SwitchPort({ lab, i }: { lab: Lab; i: Interface }) {
	if (lab.interfaces[i.master ?? '']?.kind !== 'ovs') return null;
	const values = parseSwitchPort(i.port ?? '');
	return switchPortWords.map((word) => {
		const written = (text: string) => {
			const { [word]: _, ...others } = values;
			return text.trim() === '' ? writeSwitchPort(others) : `${writeSwitchPort(others)} ${word} ${text.trim()}`;
		};
		return (
			<Fragment key={word}>
				<dt title={word}>{word === 'vlan_mode' ? 'mode' : word}</dt>
				<dd>
					<EditableValue
						label={`${word} of ${i.name}`}
						value={values[word] ?? ''}
						placeholder={placeholders[word]}
						check={(text) => canonicalSwitchPort(written(text))}
						command={(text) => shell.setPort(i, word, text.trim())}
						apply={(text, outcome) => edit([{ updateInterface: { id: i.id, port: written(text) } }], outcome)}
						{...(word === 'vlan_mode' ? { offers: vlanModes } : {})}
						testid={`${word}-${i.name}`}
					/>
				</dd>
			</Fragment>
		);
	});
}

/** What an OVS bridge has learnt, and its flows. */
export function SwitchTables({ bridge }: { bridge: Interface }) {
	const table = useLab((s) => s.nodeStates[bridge.node]?.switches?.find((t) => t.bridge === bridge.name));
	const running = useLab((s) => s.status.state === 'running');
	if (!table) {
		return (
			<p className="inspector-part small">
				{running
					? 'Its flows and what it has learnt come from Open vSwitch.'
					: 'What it learns, and by which flows it goes, is there once the lab runs.'}
			</p>
		);
	}
	return (
		<>
			{table.others && <Others table={table} others={table.others} />}
			<Learnt table={table} />
			<Flows table={table} />
		</>
	);
}

/** Ports that are no network devices, which nothing else on the page knows of. */
function Others({ table, others }: { table: SwitchTable; others: readonly OtherPort[] }) {
	return (
		<section className="inspector-part" aria-label={`Other ports of ${table.bridge}`} data-testid="switch-others">
			<h3>
				Other ports <code className="small">ovs-vsctl show</code>
			</h3>
			<ul className="live-rows mono">
				{others.map((p) => (
					<li key={p.name}>
						{p.name} <span className="small">{`${p.kind} ${p.options}`.trim()}</span>
						<span className="unsaved-chip">not saved</span>
					</li>
				))}
			</ul>
		</section>
	);
}

const keyOf = (e: Pick<SwitchEntry, 'vlan' | 'mac'>) => `${e.vlan} ${e.mac}`;

function ageText(age: string | undefined): string {
	if (age === undefined) return '';
	return age === 'static' ? ' static' : ` ${age} s ago`;
}

function Learnt({ table }: { table: SwitchTable }) {
	const ages = new Map(table.fdb.map((e) => [keyOf(e), e.age]));
	const where = useMemo(() => table.fdb.map(({ age: _, ...e }) => e), [table.fdb]); // an age that ticks is no change
	const rows = useChanging(where, keyOf);
	return (
		<section className="inspector-part" aria-label={`What ${table.bridge} has learnt`} data-testid="switch-fdb">
			<h3>
				FDB <code className="small">ovs-appctl fdb/show {table.bridge}</code>
			</h3>
			<table className="live-rows mono">
				<thead className="sr-only">
					<tr>
						<th scope="col">MAC</th>
						<th scope="col">Port, VLAN and age</th>
					</tr>
				</thead>
				<tbody>
					{rows.map((r) => (
						<tr key={r.key} className={r.className} data-testid="fdb-row">
							<td>
								{r.sign}
								{r.value.mac}
							</td>
							<td className="small">
								{r.value.port}
								{r.value.vlan > 0 && ` VLAN ${r.value.vlan}`}
								{ageText(ages.get(r.key))}
							</td>
						</tr>
					))}
				</tbody>
			</table>
			{table.fdb.length === 0 && <p className="small">Nothing yet: nobody behind it has sent anything lately.</p>}
		</section>
	);
}

/** The flow of a new bridge: it goes as a switch does that learns. */
const fresh = 'priority=0 actions=NORMAL';

function Flows({ table }: { table: SwitchTable }) {
	return (
		<section className="inspector-part" aria-label={`Flows of ${table.bridge}`} data-testid="switch-flows">
			<h3>
				Flows <code className="small">ovs-ofctl dump-flows {table.bridge}</code>
			</h3>
			<ul className="live-rows mono">
				{table.flows.map((f) => (
					<li key={`${f.table} ${f.text}`}>
						{f.table > 0 && `table=${f.table} `}
						{f.text}
						{f.text !== fresh && <span className="unsaved-chip">not saved</span>}
						<span className="small">
							{' '}
							{f.packets} packets, {f.bytes} bytes
						</span>
					</li>
				))}
				{table.flows.length === 0 && <li className="small">none: it drops all frames</li>}
			</ul>
		</section>
	);
}
