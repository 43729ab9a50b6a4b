// The rows of a firewall: only those in view are in the page, so that ten thousand rules scroll as ten do.
import { useVirtualizer } from '@tanstack/react-virtual';
import { ArrowDown, ArrowUp, X } from 'lucide-react';
import { memo, useEffect, useRef } from 'react';
import { Options } from '../app/Words';
import {
	type ChainRow,
	countersAt,
	deleteChainCommands,
	deleteCommands,
	deltaOf,
	type FirewallRow,
	hasChoice,
	linesOf,
	moveCommands,
	policyCommands,
	type RuleRow,
	readRuleLine,
	replaceCommands,
	rulesEdit,
	shortCount,
	startOf,
	type TableRow,
} from '../model/firewall';
import type { Node } from '../model/lab';
import { isBuiltin, parseRule } from '../model/rule';
import * as shell from '../model/shell';
import { edit } from '../session/actions';
import { useLab } from '../session/stores';
import type { Lab } from '../wire/types.gen';
import { EditableValue } from './Editable';
import { useChanging } from './useChanging';

interface Of {
	lab: Lab;
	node: Node;
	ipv6: boolean;
	/** Packets by row, from which on Δ counts. */
	start: ReadonlyMap<string, number>;
}

const columns = 44; // characters of a rule in a line, about

/** In px, as firewall.css has it; what it turns out to be is measured. */
function heightOf(r: FirewallRow | undefined): number {
	if (r?.kind !== 'rule') return r?.kind === 'table' ? 29 : 27;
	const printed = r.printed ? 16 * linesOf(r.printed, columns + 4) : 0;
	return Math.max(26, 4 + 18 * linesOf(r.text, columns) + printed);
}

export function RuleList({ rows, ...of }: Of & { rows: readonly FirewallRow[] }) {
	const shown = useChanging(
		rows,
		(r) => r.key,
		(r) => (r.kind === 'chain' ? r.policy : r.kind === 'rule' ? (r.printed ?? '') : `${r.legacy} ${r.stale}`),
	);
	return <Scroller shown={shown} {...of} />;
}

/** What renders anew with each step of scrolling. */
function Scroller({ shown, ...of }: Of & { shown: ReturnType<typeof useChanging<FirewallRow>> }) {
	const scroller = useRef<HTMLDivElement>(null);
	const virtual = useVirtualizer({
		count: shown.length,
		getScrollElement: () => scroller.current,
		getItemKey: (at) => shown[at]?.key ?? at,
		estimateSize: (at) => heightOf(shown[at]?.value),
		overscan: 6,
	});
	// A rule that is moved takes the focus along; one that goes hands it to the list.
	const wanted = useRef<{ key: string; action: string }>(undefined);
	// biome-ignore lint/correctness/useExhaustiveDependencies: the focus is given back once the rows have changed
	useEffect(() => {
		const want = wanted.current;
		if (!want || document.activeElement !== document.body) return;
		const row = [...(scroller.current?.querySelectorAll<HTMLElement>('[data-row]') ?? [])].find(
			(e) => e.dataset.row === want.key,
		);
		const button = row?.querySelector<HTMLElement>(`[data-action="${want.action}"]:not(:disabled)`);
		(button ?? row?.querySelector<HTMLElement>('[data-editable]') ?? scroller.current)?.focus();
	}, [shown]);
	const acted = (key: string, action: string) => {
		wanted.current = { key, action };
	};
	return (
		<div ref={scroller} className="rules-scroll" tabIndex={-1} data-testid="rules">
			<div className="rule-row rules-head" aria-hidden="true">
				<span>#</span>
				<span>rule</span>
				<span>packets</span>
				<span>bytes</span>
				<span>Δ</span>
			</div>
			<ul aria-label="Rules" style={{ height: virtual.getTotalSize(), position: 'relative' }}>
				{virtual.getVirtualItems().map((item) => {
					const row = shown[item.index];
					if (!row) return null;
					const gone = row.className.includes('is-gone');
					return (
						<li
							key={item.key}
							ref={virtual.measureElement}
							aria-setsize={shown.length}
							aria-posinset={item.index + 1}
							data-index={item.index}
							data-row={row.key}
							className={`rule-row is-${row.value.kind} ${row.className}`}
							style={{ transform: `translateY(${item.start}px)` }}
							data-testid={gone ? undefined : testidOf(row.value)}
						>
							{row.value.kind === 'table' && <TableHead row={row.value} />}
							{row.value.kind === 'chain' && <ChainHead row={row.value} sign={row.sign} gone={gone} {...of} />}
							{row.value.kind === 'rule' && (
								<RuleLine row={row.value} sign={row.sign} gone={gone} acted={acted} {...of} />
							)}
						</li>
					);
				})}
			</ul>
		</div>
	);
}

function testidOf(r: FirewallRow): string {
	if (r.kind === 'table') return `table-${r.table}`;
	return r.kind === 'chain' ? `chain-${r.table}-${r.chain}` : `rule-${r.table}-${r.chain}-${r.number}`;
}

const marks = {
	legacy: 'of iptables-legacy: the kernel does not tell of changes, so that it is looked at now and then',
	stale: 'nft has put into this table what iptables cannot read: this is how it was before, and below is how it is',
	other: 'of the iptables that `iptables` is not here: its rules hold, too, and are not saved',
} as const;

function TableHead({ row }: { row: TableRow }) {
	return (
		<span className="table-name">
			table {row.table}
			{(['legacy', 'stale', 'other'] as const).map(
				(mark) =>
					row[mark] && (
						<span key={mark} className="unsaved-chip" title={marks[mark]}>
							{mark === 'other' ? 'not saved' : mark}
						</span>
					),
			)}
			{row.stale && <span className="small">{marks.stale}</span>}
		</span>
	);
}

function ChainHead({ row, sign, gone, lab, node, ipv6, start }: Of & { row: ChainRow; sign: string; gone: boolean }) {
	const name = `${row.table === 'filter' ? '' : `${row.table} `}${row.chain}`;
	const change = (commands: string[]) => edit(rulesEdit(node.id, ipv6, commands));
	const command = (commands: string[]) => shell.iptables(lab, node.id, ipv6, commands);
	const empty = row.policy === '' && row.rules === 0 && !row.fixed && !gone;
	return (
		<>
			<span className="chain-name">
				{sign}
				<span className="mono">{row.chain}</span>
				{hasChoice(row) && !gone ? (
					<select
						aria-label={`Policy of ${name}`}
						data-testid={`policy-${row.table}-${row.chain}`}
						value={row.policy}
						title={command(policyCommands(row, row.policy === 'DROP' ? 'ACCEPT' : 'DROP'))}
						onChange={(e) => change(policyCommands(row, e.target.value))}
					>
						<option>ACCEPT</option>
						<option>DROP</option>
					</select>
				) : (
					<span className="small mono">{row.policy}</span>
				)}
				{!row.fixed && !gone && (
					<EditableValue
						label={`New rule of ${name}`}
						value=""
						placeholder="+ rule"
						start={startOf(row)}
						testid={`add-rule-${row.table}-${row.chain}`}
						check={(line) => parseRule(readRuleLine(line).text)}
						command={(line) => command([readRuleLine(line).text])}
						apply={(line, outcome) => edit(rulesEdit(node.id, ipv6, [readRuleLine(line).text.trim()]), outcome)}
					/>
				)}
			</span>
			{isBuiltin(row.table, row.chain) ? (
				<Counts node={node.id} ipv6={ipv6} place={row.place} start={start.get(row.key)} />
			) : (
				<NoCounts />
			)}
			<span className="rule-actions">
				{empty && (
					<button
						type="button"
						className="plain"
						aria-label={`Delete the chain ${name}`}
						title={command(deleteChainCommands(row))}
						onClick={() => change(deleteChainCommands(row))}
					>
						<X size={14} aria-hidden="true" />
					</button>
				)}
			</span>
		</>
	);
}

function RuleLine({
	row,
	sign,
	gone,
	acted,
	lab,
	node,
	ipv6,
	start,
}: Of & { row: RuleRow; sign: string; gone: boolean; acted: (key: string, action: string) => void }) {
	const which = `rule ${row.number} of ${row.table === 'filter' ? '' : `${row.table} `}${row.chain}`;
	const command = (commands: string[]) => shell.iptables(lab, node.id, ipv6, commands);
	const change = (commands: string[], action: string) => {
		acted(row.key, action);
		edit(rulesEdit(node.id, ipv6, commands, row.authored));
	};
	const shows = <Options text={row.text} />;
	return (
		<>
			<span className="rule-number">{sign || row.number}</span>
			<span className="rule-text">
				{row.fixed || gone ? (
					<span className="editable mono">{shows}</span>
				) : (
					<EditableValue
						label={`${which}`}
						value={row.authored}
						shows={shows}
						check={(line) => parseRule(readRuleLine(line).text)}
						command={(line) => command(replaceCommands(row, readRuleLine(line).text))}
						apply={(line, outcome) =>
							edit(
								rulesEdit(node.id, ipv6, replaceCommands(row, readRuleLine(line).text.trim()), row.authored),
								outcome,
							)
						}
					/>
				)}
				{row.printed && (
					<span className="printed mono" title="As iptables -S prints it">
						<span className="sr-only">iptables -S prints it as </span>
						<Options text={row.printed} />
					</span>
				)}
			</span>
			<Counts node={node.id} ipv6={ipv6} place={row.place} start={start.get(row.key)} />
			<span className="rule-actions">
				{!row.fixed && !gone && (
					<>
						<button
							type="button"
							className="plain"
							data-action="up"
							disabled={row.number === 1}
							aria-label={`Move ${which} up`}
							title={row.number > 1 ? command(moveCommands(row, -1)) : undefined}
							onClick={() => change(moveCommands(row, -1), 'up')}
						>
							<ArrowUp size={14} aria-hidden="true" />
						</button>
						<button
							type="button"
							className="plain"
							data-action="down"
							disabled={row.last}
							aria-label={`Move ${which} down`}
							title={row.last ? undefined : command(moveCommands(row, 1))}
							onClick={() => change(moveCommands(row, 1), 'down')}
						>
							<ArrowDown size={14} aria-hidden="true" />
						</button>
						<button
							type="button"
							className="plain"
							aria-label={`Delete ${which}`}
							title={command(deleteCommands(row))}
							onClick={() => change(deleteCommands(row), 'delete')}
						>
							<X size={14} aria-hidden="true" />
						</button>
					</>
				)}
			</span>
		</>
	);
}

const Counts = memo(function Counts(at: {
	node: string;
	ipv6: boolean;
	place: number | undefined;
	start: number | undefined;
}) {
	const counted = useLab((s) => countersAt(s.counters[at.node], at.ipv6).get(at.place ?? -1));
	if (at.place === undefined) return <NoCounts />;
	const { packets, bytes } = counted ?? { packets: 0, bytes: 0 };
	const delta = deltaOf(at.start, packets);
	return (
		<>
			<span className="count" title={packets.toLocaleString('en')} data-testid="packets">
				{shortCount(packets)}
				<span className="sr-only"> packets, </span>
			</span>
			<span className="count" title={bytes.toLocaleString('en')}>
				{shortCount(bytes)}
				<span className="sr-only"> bytes, </span>
			</span>
			<span className={`count ${delta > 0 ? 'is-more' : ''}`} data-testid="delta">
				{delta > 0 ? `+${shortCount(delta)}` : '0'}
				<span className="sr-only"> packets more</span>
			</span>
		</>
	);
});

function NoCounts() {
	return [0, 1, 2].map((at) => <span key={at} className="count" />);
}
