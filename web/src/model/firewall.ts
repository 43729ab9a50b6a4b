// A node's firewall as the page shows it: tables in the order in which a packet meets them, chains, rules; and the commands
// that edits of them stand for.
import type { Counter, Counters, Edit, Firewall, FirewallTable, Node } from '../wire/types.gen';
import { problemOf } from './problem';
import { builtinChains, isBuiltin, parseRule, type Rule, ruleText } from './rule';

export interface TableRow {
	kind: 'table';
	key: string;
	table: string;
	legacy: boolean;
	stale: boolean;
	other: boolean;
}

export interface ChainRow {
	kind: 'chain';
	key: string;
	table: string;
	chain: string;
	/** "ACCEPT" or "DROP"; '' of a chain that somebody has made. */
	policy: string;
	rules: number;
	/** Of its counter; undefined where nothing counts. */
	place: number | undefined;
	fixed: boolean;
}

export interface RuleRow {
	kind: 'rule';
	key: string;
	table: string;
	chain: string;
	/** In its chain, from 1. */
	number: number;
	/** Whether it is the chain's last. */
	last: boolean;
	/** As the document has it, whole: "-t nat -A POSTROUTING -o eth0 -j MASQUERADE". */
	authored: string;
	/** The same without what the heads above say: "-o eth0 -j MASQUERADE". */
	text: string;
	/** What `iptables -S` prints, where that differs. */
	printed: string | undefined;
	place: number | undefined;
	/** Whether it cannot be changed here: of a table that is not read as it is. */
	fixed: boolean;
}

export type FirewallRow = TableRow | ChainRow | RuleRow;

const traversal = ['raw', 'mangle', 'nat', 'filter', 'security']; // NF_IP_PRI_… in uapi/linux/netfilter_ipv4.h

/**
 * What is shown of one family: of a running lab what the kernel has, else what the document has. Table filter is there also
 * where nobody has used it, for everybody has its policies.
 */
export function firewallRows(node: Node, live: Firewall | undefined, ipv6: boolean): FirewallRow[] {
	const seen = (ipv6 ? live?.ipv6 : live?.ipv4) ?? [];
	const placed = seen.length > 0 ? withPlaces(seen) : writtenTables((ipv6 ? node.ip6tables : node.iptables) ?? []);
	if (!placed.some((p) => p.table.name === 'filter')) placed.push({ table: emptyTable('filter'), place: undefined });
	const at = (t: FirewallTable) => 2 * traversal.indexOf(t.name) + Number(t.other ?? false);
	return placed.sort((a, b) => at(a.table) - at(b.table)).flatMap(({ table, place }) => rowsOf(table, place));
}

function emptyTable(name: string): FirewallTable {
	return { name, chains: (builtinChains[name] ?? []).map((chain) => ({ name: chain, policy: 'ACCEPT', rules: [] })) };
}

/** A table, with the place of its first counter. */
interface PlacedTable {
	table: FirewallTable;
	place: number | undefined;
}

function withPlaces(tables: readonly FirewallTable[]): PlacedTable[] {
	let next = 0;
	return tables.map((table) => {
		const place = next;
		for (const c of table.chains) next += 1 + c.rules.length;
		return { table, place };
	});
}

/** What a document's rules make of empty tables. */
function writtenTables(texts: readonly string[]): PlacedTable[] {
	const tables = new Map<string, FirewallTable>();
	for (const text of texts) {
		const r = readRule(text);
		if (!r) continue;
		const table = tables.get(r.table) ?? emptyTable(r.table);
		tables.set(r.table, table);
		const chain = table.chains.find((c) => c.name === r.chain);
		if (r.verb === '-N') table.chains.push({ name: r.chain, rules: [] });
		if (r.verb === '-P' && chain) chain.policy = r.args[0] ?? 'ACCEPT';
		if (r.verb === '-A') chain?.rules.push({ text: ruleText({ ...r, table: 'filter' }), authored: text });
	}
	return [...tables.values()].map((table) => ({ table, place: undefined }));
}

function readRule(text: string): Rule | undefined {
	let r: Rule | undefined;
	problemOf(() => {
		r = parseRule(text);
	});
	return r;
}

function rowsOf(t: FirewallTable, first: number | undefined): FirewallRow[] {
	const { name: table, legacy = false, stale = false, other = false } = t;
	const prefix = other ? `${table}, other` : table;
	const fixed = other || stale;
	const rows: FirewallRow[] = [{ kind: 'table', key: prefix, table, legacy, stale, other }];
	let place = stale ? undefined : first;
	const next = () => (place === undefined ? undefined : place++);
	for (const c of t.chains) {
		const of = { table, chain: c.name };
		const policy = c.policy ?? '';
		const key = `${prefix} ${c.name}`;
		rows.push({ kind: 'chain', key, ...of, policy, rules: c.rules.length, place: next(), fixed });
		const alike = new Map<string, number>();
		c.rules.forEach((r, i) => {
			const authored = r.authored || (table === 'filter' ? r.text : `-t ${table} ${r.text}`);
			const twins = (alike.get(authored) ?? 0) + 1;
			alike.set(authored, twins);
			const text = bodyOf(authored, table, c.name);
			const asPrinted = bodyOf(r.text, table, c.name);
			rows.push({
				kind: 'rule',
				key: `${key} ${authored} ${twins}`,
				...of,
				number: i + 1,
				last: i === c.rules.length - 1,
				authored,
				text,
				printed: asPrinted === text ? undefined : asPrinted,
				place: next(),
				fixed,
			});
		});
	}
	return rows;
}

/** A rule without its table and chain, which stand above it. */
export function bodyOf(text: string, table: string, chain: string): string {
	const words = text
		.replace(/(^|\s)(-t\s+|--table[= ])(\S+)(?=\s|$)/, (all, _, __, of) => (of === table ? '' : all))
		.trim();
	const command = /^(-A|--append)\s+(\S+)\s+/.exec(words);
	return command?.[2] === chain ? words.slice(command[0].length) : words;
}

/** A rule's options, each with its value: where a line is broken. */
export function optionsIn(body: string): string[] {
	return body.split(/(?<!!)\s+(?=(?:!\s+)?--?[a-zA-Z])/);
}

/** How many lines a rule takes where so many characters fit in one: options are kept in one piece where they can be. */
export function linesOf(body: string, columns: number): number {
	let [lines, used] = [1, 0];
	for (const option of optionsIn(body)) {
		if (used > 0 && used + option.length > columns) [lines, used] = [lines + 1, 0];
		lines += Math.floor(Math.max(option.length - 1, 0) / columns);
		used += option.length + 1;
	}
	return lines;
}

/** "2 rules in nat, 1 in filter; FORWARD drops": a firewall in a line. */
export function summaryOf(rows: readonly FirewallRow[]): string {
	const counts = new Map<string, number>();
	const drops: string[] = [];
	for (const r of rows) {
		if (r.kind === 'rule') counts.set(r.table, (counts.get(r.table) ?? 0) + 1);
		if (r.kind === 'chain' && r.policy === 'DROP') drops.push(r.table === 'filter' ? r.chain : `${r.table} ${r.chain}`);
	}
	const rules = [...counts].map(([table, n], i) => {
		const many = n.toLocaleString('en');
		return i === 0 ? `${many} ${n === 1 ? 'rule' : 'rules'} in ${table}` : `${many} in ${table}`;
	});
	const policies = drops.length === 0 ? '' : `; ${drops.join(', ')} ${drops.length === 1 ? 'drops' : 'drop'}`;
	return `${rules.join(', ') || 'no rules'}${policies}`;
}

// ---------------------------------------------------------------- what is counted

const places = new WeakMap<readonly Counter[], ReadonlyMap<number, Counter>>();
const nothing: ReadonlyMap<number, Counter> = new Map();

/** What the rules of a family have counted, by place. */
export function countersAt(counters: Counters | undefined, ipv6: boolean): ReadonlyMap<number, Counter> {
	const list = ipv6 ? counters?.ipv6 : counters?.ipv4;
	if (!list) return nothing;
	let map = places.get(list);
	if (!map) {
		map = new Map(list.map((c) => [c.at, c]));
		places.set(list, map);
	}
	return map;
}

/** Packets by the key of a rule or chain: what a Δ starts from. */
export function packetsOf(
	rows: readonly FirewallRow[],
	counted: ReadonlyMap<number, Counter>,
): ReadonlyMap<string, number> {
	return new Map(
		rows.flatMap((r) => (r.kind === 'table' ? [] : [[r.key, counted.get(r.place ?? -1)?.packets ?? 0] as const])),
	);
}

/** How many more than at the start. A rule that is new since, or made anew, starts from 0. */
export function deltaOf(start: number | undefined, packets: number): number {
	return start === undefined || start > packets ? packets : packets - start;
}

/** "9,876", "12.3k", "4.5M": as wide as a column is. */
export function shortCount(n: number): string {
	if (n < 10_000) return n.toLocaleString('en');
	for (const [unit, size] of [
		['G', 1e9],
		['M', 1e6],
	] as const) {
		if (n >= size) return `${(n / size).toFixed(n < 10 * size ? 1 : 0)}${unit}`;
	}
	return `${(n / 1e3).toFixed(n < 100_000 ? 1 : 0)}k`;
}

// ---------------------------------------------------------------- edits

/** What somebody has typed: the rule, and of which family it says that it is. */
export function readRuleLine(line: string): { text: string; ipv6: boolean | undefined } {
	const program = /^\s*(?:sudo\s+)?(ip6?tables)(?:\s+|$)/.exec(line);
	return program
		? { text: line.slice(program[0].length), ipv6: program[1] === 'ip6tables' }
		: { text: line, ipv6: undefined };
}

export function rulesEdit(node: string, ipv6: boolean, commands: string[], was?: string): Edit[] {
	return [{ iptables: { node, commands, ...(ipv6 ? { ipv6 } : {}), ...(was ? { was } : {}) } }];
}

const numbered = (r: RuleRow, verb: string, number: number, args: string[] = []) =>
	ruleText({ table: r.table, verb, chain: r.chain, number, args });

/** A rule said anew: in its place, or where else it says that it belongs. */
export function replaceCommands(r: RuleRow, text: string): string[] {
	const rule = readRule(text);
	if (rule?.verb === '-A' && rule.table === r.table && rule.chain === r.chain) {
		return [numbered(r, '-R', r.number, rule.args)];
	}
	return [...deleteCommands(r), text];
}

export function deleteCommands(r: RuleRow): string[] {
	return [numbered(r, '-D', r.number)];
}

/** A rule some places further down its chain, or up. */
export function moveCommands(r: RuleRow, by: number): string[] {
	const args = readRule(r.authored)?.args ?? [];
	return [...deleteCommands(r), numbered(r, '-I', r.number + by, args)];
}

export function policyCommands(c: ChainRow, policy: string): string[] {
	return [ruleText({ table: c.table, verb: '-P', chain: c.chain, number: 0, args: [policy] })];
}

export function deleteChainCommands(c: ChainRow): string[] {
	return [ruleText({ table: c.table, verb: '-X', chain: c.chain, number: 0, args: [] })];
}

/** What a new rule of a chain begins with. */
export function startOf(c: ChainRow): string {
	return `${ruleText({ table: c.table, verb: '-A', chain: c.chain, number: 0, args: [] })} `;
}

/** Whether a chain's policy can be something else than ACCEPT: table nat is not for filtering. */
export function hasChoice(c: ChainRow): boolean {
	return !c.fixed && isBuiltin(c.table, c.chain) && c.table !== 'nat';
}
