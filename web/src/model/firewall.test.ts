import { describe, expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import type { Firewall, Node } from '../wire/types.gen';
import {
	bodyOf,
	type ChainRow,
	countersAt,
	deleteCommands,
	deltaOf,
	type FirewallRow,
	firewallRows,
	hasChoice,
	linesOf,
	moveCommands,
	optionsIn,
	packetsOf,
	policyCommands,
	type RuleRow,
	readRuleLine,
	replaceCommands,
	rulesEdit,
	shortCount,
	startOf,
	summaryOf,
} from './firewall';
import { flowRow } from './flow';
import { iptables } from './shell';
import { suggestRules } from './suggest';

const masquerade = '-t nat -A POSTROUTING -s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE';
const forward = '-t nat -A PREROUTING -d 192.168.1.2 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80';
const host: Node = {
	id: 'h',
	name: 'host',
	kind: 'machine',
	order: 1,
	iptables: [masquerade, forward, '-P FORWARD DROP', '-N mine', '-A FORWARD -j mine', '-A FORWARD -j mine'],
};

const live: Firewall = {
	ipv4: [
		{
			name: 'filter',
			chains: [
				{ name: 'INPUT', policy: 'ACCEPT', rules: [] },
				{ name: 'FORWARD', policy: 'DROP', rules: [{ text: '-A FORWARD -j mine' }, { text: '-A FORWARD -j mine' }] },
				{ name: 'OUTPUT', policy: 'ACCEPT', rules: [] },
				{ name: 'mine', rules: [] },
			],
		},
		{
			name: 'nat',
			chains: [
				{
					name: 'PREROUTING',
					policy: 'ACCEPT',
					rules: [
						{
							text: '-A PREROUTING -d 192.168.1.2/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80',
							authored: forward,
						},
					],
				},
				{ name: 'INPUT', policy: 'ACCEPT', rules: [] },
				{ name: 'OUTPUT', policy: 'ACCEPT', rules: [] },
				{ name: 'POSTROUTING', policy: 'ACCEPT', rules: [{ text: masquerade.slice('-t nat '.length) }] },
			],
		},
	],
};

const rules = (rows: FirewallRow[]) => rows.filter((r): r is RuleRow => r.kind === 'rule');
const chains = (rows: FirewallRow[]) => rows.filter((r): r is ChainRow => r.kind === 'chain');

describe('what is shown', () => {
	const rows = firewallRows(host, live, false);

	test('is in the order in which a packet meets it, and says what iptables prints only where that differs', () => {
		expect(rows.filter((r) => r.kind === 'table').map((r) => r.table)).toEqual(['nat', 'filter']);
		expect(rules(rows).map((r) => [r.chain, r.number, r.last, r.text, r.printed])).toEqual([
			[
				'PREROUTING',
				1,
				true,
				'-d 192.168.1.2 -p tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80',
				'-d 192.168.1.2/32 -p tcp -m tcp --dport 80 -j DNAT --to-destination 192.168.15.2:80',
			],
			['POSTROUTING', 1, true, '-s 192.168.15.0/24 ! -o v-net-0 -j MASQUERADE', undefined],
			['FORWARD', 1, false, '-j mine', undefined],
			['FORWARD', 2, true, '-j mine', undefined],
		]);
		expect(new Set(rows.map((r) => r.key)).size).toBe(rows.length);
	});

	test('has each counter in its place, also where tables are shown in another order', () => {
		const counted = countersAt(
			{
				ipv4: [
					{ at: 3, packets: 7, bytes: 700 },
					{ at: 11, packets: 2, bytes: 168 },
				],
			},
			false,
		);
		const packets = packetsOf(rows, counted);
		const [, natted, , twin] = rules(rows);
		expect(packets.get(twin?.key ?? '')).toBe(7);
		expect(packets.get(natted?.key ?? '')).toBe(2);
		expect([...packets.values()].reduce((a, b) => a + b)).toBe(9);
	});

	test('of a lab that is stopped is what the document has', () => {
		const stopped = firewallRows(host, undefined, false);
		const said = (r: FirewallRow[]) => rules(r).map((rule) => [rule.key, rule.text, rule.authored]);
		expect(said(stopped)).toEqual(said(rows));
		expect(chains(stopped).find((c) => c.chain === 'FORWARD')?.policy).toBe('DROP');
		expect(stopped.every((r) => r.kind === 'table' || r.place === undefined)).toBe(true);
	});

	test('of what the document does not follow cannot be changed', () => {
		const other = firewallRows(
			host,
			{ ipv4: [{ ...(live.ipv4?.[0] ?? { name: '', chains: [] }), other: true }] },
			false,
		);
		expect(rules(other).every((r) => r.fixed)).toBe(true);
		expect(other.filter((r) => r.kind === 'table').map((r) => [r.table, r.other])).toContainEqual(['filter', true]);
	});

	test('in a line', () => {
		expect(summaryOf(rows)).toBe('2 rules in nat, 2 in filter; FORWARD drops');
		expect(summaryOf(firewallRows({ ...host, iptables: [] }, undefined, false))).toBe('no rules');
	});

	test('has filter also where nobody has used it', () => {
		expect(chains(firewallRows(host, undefined, true)).map((c) => [c.chain, c.policy, hasChoice(c)])).toEqual([
			['INPUT', 'ACCEPT', true],
			['FORWARD', 'ACCEPT', true],
			['OUTPUT', 'ACCEPT', true],
		]);
	});
});

describe('edits', () => {
	const rows = firewallRows(host, live, false);
	const [, natted, first, second] = rules(rows) as [RuleRow, RuleRow, RuleRow, RuleRow];
	const chain = chains(rows).find((c) => c.chain === 'FORWARD') as ChainRow;

	test.each([
		[
			'replaced',
			replaceCommands(natted, '-t nat -A POSTROUTING -o eth0 -j MASQUERADE'),
			['-t nat -R POSTROUTING 1 -o eth0 -j MASQUERADE'],
		],
		['said of another chain', replaceCommands(first, '-A INPUT -j mine'), ['-D FORWARD 1', '-A INPUT -j mine']],
		['moved up', moveCommands(second, -1), ['-D FORWARD 2', '-I FORWARD 1 -j mine']],
		['moved down', moveCommands(first, 1), ['-D FORWARD 1', '-I FORWARD 2 -j mine']],
		['deleted', deleteCommands(natted), ['-t nat -D POSTROUTING 1']],
		['a policy', policyCommands(chain, 'ACCEPT'), ['-P FORWARD ACCEPT']],
	])('%s', (_, commands, want) => expect(commands).toEqual(want));

	test('are said as a shell takes them', () => {
		const lab = drawn('host: red');
		const [red] = Object.values(lab.nodes).filter((n) => n.name === 'red');
		expect(iptables(lab, red?.id ?? '', true, moveCommands(second, -1))).toBe(
			'ip netns exec red ip6tables -D FORWARD 2 && ip netns exec red ip6tables -I FORWARD 1 -j mine',
		);
		expect(startOf(chain)).toBe('-A FORWARD ');
		expect(rulesEdit('h', false, ['-F'])).toEqual([{ iptables: { node: 'h', commands: ['-F'] } }]);
		expect(rulesEdit('h', true, ['-D INPUT 1'], '-A INPUT -j DROP')).toEqual([
			{ iptables: { node: 'h', commands: ['-D INPUT 1'], ipv6: true, was: '-A INPUT -j DROP' } },
		]);
	});

	test.each([
		['iptables -A INPUT -j DROP', '-A INPUT -j DROP', false],
		[' sudo ip6tables  -F', '-F', true],
		['-A INPUT -j DROP', '-A INPUT -j DROP', undefined],
		['iptablesx', 'iptablesx', undefined],
	])('%s is typed for a family', (line, text, ipv6) => expect(readRuleLine(line)).toEqual({ text, ipv6 }));
});

test.each([
	['-A FORWARD -j ACCEPT', 'filter', 'FORWARD', '-j ACCEPT'],
	['-A PREROUTING -t nat -j ACCEPT', 'nat', 'PREROUTING', '-j ACCEPT'],
	['--append FORWARD --table=mangle -j ACCEPT', 'mangle', 'FORWARD', '-j ACCEPT'],
	['-j ACCEPT -A FORWARD', 'filter', 'FORWARD', '-j ACCEPT -A FORWARD'],
])('%s below its heads', (text, table, chain, body) => expect(bodyOf(text, table, chain)).toBe(body));

test('lines of rules are broken between options', () => {
	expect(optionsIn('-s 10.0.0.0/8 ! -o v-net-0 -m comment --comment "a - b" -j DROP')).toEqual([
		'-s 10.0.0.0/8',
		'! -o v-net-0',
		'-m comment',
		'--comment "a - b"',
		'-j DROP',
	]);
});

test.each([
	['-j DROP', 44, 1],
	['-s 10.0.0.0/8 -j DROP', 12, 3],
	['-s 10.0.0.0/8 -j DROP', 13, 2],
	['', 44, 1],
])('%s in lines of %i', (body, columns, lines) => expect(linesOf(body, columns)).toBe(lines));

test('counts fit their columns, and a Δ of a rule made anew starts from 0', () => {
	expect([0, 9999, 12_345, 123_456, 1_234_567, 98_765_432, 4_500_000_000].map(shortCount)).toEqual([
		'0',
		'9,999',
		'12.3k',
		'123k',
		'1.2M',
		'99M',
		'4.5G',
	]);
	expect([deltaOf(3, 5), deltaOf(undefined, 5), deltaOf(9, 2)]).toEqual([2, 5, 2]);
});

test('what NAT has rewritten is where the directions of a flow differ', () => {
	const flow = (reply: { from: string; to: string; fromPort?: number; toPort?: number }) =>
		flowRow({
			protocol: 'tcp',
			state: 'ESTABLISHED',
			timeout: 100,
			original: { from: '192.168.15.1', to: '192.168.1.3', fromPort: 4000, toPort: 80 },
			reply,
		});
	const plain = flow({ from: '192.168.1.3', to: '192.168.15.1', fromPort: 80, toPort: 4000 });
	expect([plain.source, plain.destination]).toEqual([false, false]);
	const snat = flow({ from: '192.168.1.3', to: '192.168.1.2', fromPort: 80, toPort: 4000 });
	expect([snat.source, snat.destination, snat.from, snat.replyTo]).toEqual([
		true,
		false,
		'192.168.15.1:4000',
		'192.168.1.2:4000',
	]);
	const dnat = flow({ from: '192.168.15.2', to: '192.168.15.1', fromPort: 8080, toPort: 4000 });
	expect([dnat.source, dnat.destination, dnat.replyFrom]).toEqual([false, true, '192.168.15.2:8080']);
	expect(
		flowRow({
			protocol: 'udp',
			timeout: 1,
			original: { from: '::1', to: '::2', fromPort: 1, toPort: 53 },
			reply: { from: '::2', to: '::1' },
		}).to,
	).toBe('[::2]:53');
});

test('rules are offered that the node could use', () => {
	const lab = drawn('host: red');
	const [h] = Object.values(lab.nodes).filter((n) => n.name === 'host');
	const id = h?.id ?? '';
	lab.interfaces.b = {
		id: 'b',
		node: id,
		name: 'v-net-0',
		kind: 'bridge',
		up: true,
		mtu: 1500,
		addresses: ['192.168.15.5/24'],
	};
	expect(suggestRules(lab, id)).toContain(masquerade);
	lab.nodes[id] = { ...(h as Node), iptables: [masquerade] };
	expect(suggestRules(lab, id)).not.toContain(masquerade);
});
