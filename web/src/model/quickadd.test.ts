import { describe, expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import { applyEdits } from './edit';
import { problemOf } from './problem';
import { readQuickAdd } from './quickadd';

// Two nodes called red, one in each machine.
const lab = applyEdits(drawn('host: red blue', 'neighbour:'), [
	{ addNode: { id: 'red2', name: 'red', kind: 'namespace', in: 'neighbour' } },
]);

const context = { machine: 'host', addresses: true };

describe('a line that says what it will do', () => {
	test.each([
		['ns green', 'namespace green in host'],
		['  netns   green orange ', '2 namespaces green, orange in host'],
		['ns green orange in neighbour', '2 namespaces green, orange in neighbour'],
		['br v-net-1 in neighbour', 'bridge v-net-1 in neighbour'],
		['machine pc', 'machine pc'],
		['red -- blue', 'host/red:veth-red – blue:veth-blue'],
		['red blue -- host', 'host/red:veth-red – host:veth-red-h, blue:veth-blue – host:veth-blue-h'],
		['neighbour/red -- host', 'neighbour/red:veth-red – host:veth-red-h'],
		['red:eth0 -- blue:eth1', 'host/red:eth0 – blue:eth1'],
		['br v-net-1 10.0.0.1/24', 'bridge v-net-1 10.0.0.1/24 in host'],
		['lan office', 'LAN office'],
		['container web', 'container web in host'],
		['internet', 'internet internet'],
		['dummy d0 10.1.1.1/32 on blue', 'dummy d0 10.1.1.1/32 in blue'],
		['route blue default via 10.0.0.1', 'route default via 10.0.0.1 in blue'],
		['router host', 'net.ipv4.ip_forward=1 in host'],
	])('%s', (line, says) => {
		const read = readQuickAdd(lab, line, context);
		expect(read.says).toBe(says);
		applyEdits(lab, read.edits); // or it throws
	});
});

describe('a line that says why it cannot', () => {
	test.each([
		['', 'write for example `ns red blue`'],
		['hub x', '`hub` is no kind of thing'],
		['ns', 'a namespace needs a name'],
		['ns in neighbour', 'names go before `in`, and one machine after it'],
		['ns green in', 'names go before `in`, and one machine after it'],
		['machine pc in neighbour', 'a machine is in no machine'],
		['ns green in nowhere', 'there is no node `nowhere`'],
		['ns green in red', '`red` is a namespace; a namespace is in a machine'],
		['ns red', 'host already has a namespace `red`'],
		['ns a/b', '`a/b` contains a slash; the name is a file in /run/netns'],
		['red --', 'a cable has two ends: `red -- blue`'],
		['red -- red', 'both ends would be in red'],
		['red -- blue -- host', 'a cable has two ends: `red blue -- host` joins both to host'],
		['red -- nobody', 'there is no node `nobody`'],
		['red:veth-neighbour-b -- blue', '`veth-neighbour-b` is 16 bytes; the kernel allows 15 (IFNAMSIZ)'],
		['red 10.0.0.300/24 -- blue', '`10.0.0.300/24` is not an address'],
	])('%s', (line, words) => {
		expect(problemOf(() => readQuickAdd(lab, line, context))?.message).toBe(words);
	});
});

test('addresses that are written win over those that are suggested', () => {
	const [cable] = readQuickAdd(lab, 'red 10.0.0.1/8 -- blue', context).edits;
	expect(cable?.addCable).toMatchObject({ a: { addresses: ['10.0.0.1/8'] } });
	expect(cable?.addCable?.b.addresses).toBeUndefined();
	const [bare] = readQuickAdd(lab, 'red -- blue', { ...context, addresses: false }).edits;
	expect(bare?.addCable?.a.addresses).toBeUndefined();
});

test('a name that two nodes have is asked back, unless one of them is near', () => {
	const far = { addresses: true };
	expect(problemOf(() => readQuickAdd(lab, 'red -- blue', far))?.message).toBe(
		'there are `host/red` and `neighbour/red`: say which',
	);
	expect(readQuickAdd(lab, 'blue -- host', far).says).toBe('blue:veth-blue – host:veth-blue-h');
});

test('new nodes go where the pointer was, then into free slots', () => {
	const { edits } = readQuickAdd(lab, 'ns green orange', { ...context, at: { x: 400, y: 88 } });
	expect(edits[0]?.addNode?.place).toEqual({ x: 400, y: 88 });
	expect(edits[1]?.addNode?.place).toEqual({ x: 40, y: 64 });
});

describe('with a bridge', () => {
	const bridged = drawn('host: red blue =br0', 'red:eth0 -- blue:eth0');
	test.each([
		['red blue -- br0', 'red:veth-red – br0:veth-red-br, blue:veth-blue – br0:veth-blue-br'],
		['host/br0 -- red', 'br0:veth-red-br – red:veth-red'],
		['vlan eth0.10 id 10 on red:eth0', 'vlan eth0.10 id 10 on red:eth0'],
		['vlan br0.10 id 10 on br0', 'vlan br0.10 id 10 on host:br0'],
		['macvlan m0 mode bridge on red:eth0', 'macvlan m0 mode bridge on red:eth0'],
	])('%s', (line, says) => {
		const read = readQuickAdd(bridged, line, context);
		expect(read.says).toBe(says);
		applyEdits(bridged, read.edits); // or it throws
	});
	test.each([
		['vlan eth0.10 on red:eth0', 'a vlan needs `id`'],
		['vlan eth0.10 id 10 on red:eth9', 'red has no interface `eth9`'],
		['route red default vai 10.0.0.1', 'a route has no word `vai` here'],
		['br', 'a bridge needs a name'],
	])('%s', (line, words) => {
		expect(problemOf(() => readQuickAdd(bridged, line, context))?.message).toBe(words);
	});
});
