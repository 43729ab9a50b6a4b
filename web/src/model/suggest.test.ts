import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { anyLab, drawn } from '../../test/lab';
import { applyEdits } from './edit';
import { byteLength } from './names';
import {
	addressNote,
	canConnect,
	freeMachineName,
	freeNamespaceName,
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

	test('counts on where a name is taken, between machines too', () => {
		const joined = drawn('host:', 'other:', 'host:eth0 -- other:eth0', 'host:eth1 -- other:eth1');
		expect(suggestName(joined, 'host', 'other')).toBe('eth2');
		expect(suggestName(joined, 'host', 'other', new Set(['eth2']))).toBe('eth3');
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
	expect(freeNamespaceName(drawn('host: red'), 'host')).toBe('blue');
	const all = 'red blue green orange purple cyan pink brown yellow gray';
	expect(freeNamespaceName(drawn(`host: ${all}`), 'host')).toBe('ns');
	expect(freeMachineName(drawn('host:'))).toBe('neighbour');
	expect(freeMachineName(drawn('host:', 'neighbour:', 'machine:'))).toBe('machine-2');
});
