import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyLab, drawn } from '../../test/lab';
import { applyEdits } from './edit';
import { byteLength } from './names';
import { withoutCommand } from './route';
import {
	addressNote,
	addressOfNode,
	canConnect,
	freeName,
	replugged,
	suggestAddresses,
	suggestAddressFor,
	suggestCable,
	suggestName,
} from './suggest';

describe('a name for a cable’s end', () => {
	const lab = drawn('host: red neighbouring-ns grün', 'other:', 'red:veth-red -- host:veth-red-h');
	test.each([
		['red', 'grün', 'veth-red2', 'a second cable counts'],
		['grün', 'red', 'veth-grn', 'what the kernel refuses is left out'],
		['host', 'red', 'veth-red2-h', 'the machine’s end is named after the namespace'],
		['neighbouring-ns', 'red', 'veth-neighbouri', 'cut to 15 bytes'],
		['host', 'neighbouring-ns', 'veth-neighbou-h', 'cut before its tail'],
		['host', 'other', 'eth0', 'between machines'],
	])('at %s, to %s: %s (%s)', (node, peer, want) => {
		expect(suggestName(lab, node, peer)).toBe(want);
	});

	const bridged = drawn(
		'host: red neighbouring-ns =v-net-0 =br1',
		'other: =br2',
		'lan office',
		'red:veth-red -- v-net-0:veth-red-br',
	);
	test.each([
		['red', 'v-net-0', 'veth-red2'],
		['v-net-0', 'red', 'veth-red2-br'],
		['v-net-0', 'neighbouring-ns', 'veth-neighbo-br'],
		['v-net-0', 'br1', 'veth-br1-br'],
		['host', 'v-net-0', 'veth-v-net-0-h'],
		['host', 'office', 'eth0'],
		['office', 'host', 'port1'],
		['v-net-0', 'br2', 'eth0'],
		['red', 'office', 'veth-red2'],
	])('at %s, to %s: %s, where there are bridges', (at, peer, want) => {
		expect(suggestName(bridged, at, peer)).toBe(want);
	});

	test('counts on where a name is taken, between machines too', () => {
		const joined = drawn('host:', 'other:', 'host:eth0 -- other:eth0', 'host:eth1 -- other:eth1');
		expect(suggestName(joined, 'host', 'other')).toBe('eth2');
	});
});

describe('addresses', () => {
	test.each<[string[], string | undefined, string]>([
		[[], '192.168.15', 'the first subnet'],
		[['red:a 192.168.15.7/24 -- blue:b'], '192.168.16', 'the next, where that is in use'],
		[['red:a 192.168.0.1/16 -- blue:b'], undefined, 'none, where one subnet covers all'],
		[['red:a 10.0.0.1/8 -- blue:b'], '192.168.15', 'others do not matter'],
	])('with %j: %s (%s)', (cables, want, _) => {
		const pair = suggestAddresses(drawn('host: red blue', ...cables));
		expect(pair).toEqual(want && [`${want}.1/24`, `${want}.2/24`]);
	});

	test.each([
		['10.0.0.1/24', '10.0.0.2/24'],
		['10.0.0.2/30', '10.0.0.1/30'],
		['10.0.0.1/31', '192.168.15.1/24'], // too small to have another host
	])('opposite %s: %s', (given, want) => {
		const lab = drawn('host: red blue', `red:a ${given} -- blue:b`);
		expect(suggestAddressFor(lab, 'blue:b')).toBe(want);
	});

	test.each([
		['10.0.0.2/24', undefined],
		['10.0.0.1/24', 'red:a has this address too'],
		['10.0.0.0/24', 'this is the address of the network itself'],
		['10.0.0.255/24', "this is the network's broadcast address"],
		['10.0.1.2/24', 'the other end is in another subnet'],
		['half an addr', undefined], // its own refusal says so
		['2001:db8::1/64', undefined],
	])('what is odd about %s: %s', (address, want) => {
		expect(addressNote(drawn('host: red blue', 'red:a 10.0.0.1/24 -- blue:b'), 'blue:b', address)).toBe(want);
	});
});

test.each([
	['red', 'blue', { ok: true }],
	['red', 'host', { ok: true }],
	['red', 'red', { ok: false, reason: 'both ends would be in red' }],
	['red', 'gone', { ok: false, reason: 'it is gone' }],
])('a cable from %s to %s: %j', (from, to, want) => {
	expect(canConnect(drawn('host: red blue'), from, to)).toEqual(want);
});

test('any suggested cable is one that the engine takes', () => {
	fc.assert(
		fc.property(anyLab, fc.nat(), fc.nat(), fc.boolean(), (lab, one, two, addresses) => {
			const ids = Object.keys(lab.nodes);
			const [from, to] = [ids[one % ids.length] ?? '', ids[two % ids.length] ?? ''];
			if (!canConnect(lab, from, to).ok) return;
			const addCable = suggestCable(lab, from, to, { addresses });
			expect(byteLength(addCable.a.name)).toBeLessThanOrEqual(15);
			applyEdits(lab, [{ addCable }]); // or it throws
		}),
	);
});

test('names for new nodes are colours and computers, then they count', () => {
	expect(freeName(drawn('host: red'), 'namespace', 'host')).toBe('blue');
	const all = 'red blue green orange purple cyan pink brown yellow gray';
	expect(freeName(drawn(`host: ${all}`), 'namespace', 'host')).toBe('ns');
	expect(freeName(drawn('host:'), 'machine', '')).toBe('neighbour');
	expect(freeName(drawn('host:', 'neighbour:', 'machine:'), 'machine', '')).toBe('machine-2');
});

describe('on a bridge or a LAN', () => {
	const lab = applyEdits(
		drawn('host: red blue =v-net-0', 'pc:', 'lan office', 'red:veth-red 192.168.15.1/24 -- v-net-0:veth-red-br'),
		[{ addAddress: { interface: 'v-net-0', address: '192.168.15.5/24' } }],
	);

	test.each([
		['blue', 'v-net-0', ['192.168.15.2/24'], undefined],
		['v-net-0', 'blue', undefined, ['192.168.15.2/24']],
		['host', 'office', ['192.168.1.1/24'], undefined],
		['v-net-0', 'office', undefined, undefined],
	])('%s to %s', (from, to, a, b) => {
		const cable = suggestCable(lab, from, to, { addresses: true });
		expect([cable.a.addresses, cable.b.addresses]).toEqual([a, b]);
		expect(cable.a.master).toBe(from === 'v-net-0' ? 'v-net-0' : undefined);
		applyEdits(lab, [{ addCable: cable }]); // or it throws
	});

	test('the next machine on a LAN is in its subnet', () => {
		const one = applyEdits(lab, [{ addCable: suggestCable(lab, 'host', 'office', { addresses: true }) }]);
		expect(suggestCable(one, 'pc', 'office', { addresses: true })).toMatchObject({
			a: { name: 'eth0', addresses: ['192.168.1.2/24'] },
			b: { name: 'port2', node: 'office' },
		});
	});

	test('an end keeps what it has where it is plugged elsewhere', () => {
		const plug = (end: string, to: string) => replugged(lab, end, to);
		expect(plug('v-net-0:veth-red-br', 'host')).toEqual({ id: 'v-net-0:veth-red-br', master: '' });
		expect(plug('red:veth-red', 'v-net-0')).toEqual({ id: 'red:veth-red', node: 'host', master: 'v-net-0' });
		expect(plug('v-net-0:veth-red-br', 'office')).toEqual({ id: 'v-net-0:veth-red-br', node: 'office' });
	});

	test('an address of a port is noted, and one outside the segment', () => {
		expect(addressNote(lab, 'v-net-0:veth-red-br', '10.0.0.1/24')).toMatch(/port of v-net-0/);
		expect(addressNote(lab, 'red:veth-red', '10.0.0.1/24')).toBe('what it reaches is in another subnet');
		expect(addressNote(lab, 'red:veth-red', '192.168.15.9/24')).toBeUndefined();
		expect(addressNote(lab, 'v-net-0', '10.0.0.1/24')).toBe('what it reaches is in another subnet');
	});
});

test.each([
	['ip route add 10.0.0.0/8 via 10.1.1.1', '10.0.0.0/8 via 10.1.1.1'],
	['ip -n red -6 route replace default dev eth0', 'default dev eth0'],
	['default via 10.1.1.1', 'default via 10.1.1.1'],
	['ip route del default', 'ip route del default'],
])('of %s, the route is %s', (text, want) => {
	expect(withoutCommand(text)).toBe(want);
});

test.each([
	['red', 'blue', '192.168.15.2'],
	['far', 'neighbour/blue', '10.0.0.1'],
	['red', 'neighbour/blue', '10.9.0.1'],
	['red', 'green', undefined],
	['red', 'nobody', undefined],
])('from %s, the node named %s is at %s', (from, name, want) => {
	const lab = applyEdits(
		drawn('host: red blue green', 'neighbour: far', 'red:e 192.168.15.1/24 -- blue:e 192.168.15.2/24'),
		[
			{ addNode: { id: 'blue2', name: 'blue', kind: 'namespace', in: 'neighbour' } },
			{
				addCable: {
					id: 'c9',
					a: { id: 'x', node: 'blue2', name: 'e', addresses: ['10.9.0.1/24', '10.0.0.1/24'] },
					b: { id: 'y', node: 'far', name: 'e', addresses: ['10.0.0.2/24'] },
				},
			},
		],
	);
	expect(addressOfNode(lab, from, name)).toBe(want);
});
