// Labs for tests, written as one would draw them:
//
//	drawn('host: red blue', 'red:veth-red 10.0.0.1/24 -- blue:veth-blue')
//	drawn('host: red =br0', 'lan office', 'red:veth-red -- br0:veth-red-br', 'host:eth0 -- office:port1')
//
// Ids are what people call things: `red`, `red:veth-red`, and `c1` for the first cable.
import fc from 'fast-check';
import { applyEdits } from '../src/model/edit';
import { emptyLab } from '../src/model/lab';
import { Refused } from '../src/model/problem';
import type { Edit, End, Lab, Patch } from '../src/wire/types.gen';

export function drawn(...lines: string[]): Lab {
	let lab = { ...emptyLab, name: 'test' };
	let cables = 0;
	for (const line of lines) lab = applyEdits(lab, line.includes('--') ? [cable(lab, line, ++cables)] : nodes(line));
	return lab;
}

/** `host: red blue =br0` has a bridge; `lan office` is a LAN. */
function nodes(line: string): Edit[] {
	const lan = /^lan (\S+)$/.exec(line)?.[1];
	if (lan) return [{ addNode: { id: lan, name: lan, kind: 'lan' } }];
	const [machine = '', inside = ''] = line.split(':').map((part) => part.trim());
	return [
		{ addNode: { id: machine, name: machine, kind: 'machine' } },
		...inside
			.split(/\s+/)
			.filter(Boolean)
			.map(
				(name): Edit =>
					name.startsWith('=')
						? { addInterface: { id: name.slice(1), node: machine, name: name.slice(1), kind: 'bridge' } }
						: { addNode: { id: name, name, kind: 'namespace', in: machine } },
			),
	];
}

/** `red:veth-red 10.0.0.1/24 -- blue:veth-blue` */
function cable(lab: Lab, line: string, number: number): Edit {
	const [a = '', b = ''] = line.split('--');
	return { addCable: { id: `c${number}`, a: end(lab, a), b: end(lab, b) } };
}

function end(lab: Lab, text: string): End {
	const [id = '', ...addresses] = text.trim().split(/\s+/);
	const [box = '', name = ''] = id.split(':');
	const bridge = lab.interfaces[box];
	return { id, node: bridge?.node ?? box, name, addresses, ...(bridge ? { master: box } : {}) };
}

const parts = ['nodes', 'interfaces', 'cables', 'places'] as const;

/** What of one lab is different in another, as the engine says it (Compare in labengine/patch.go). */
export function compare(have: Lab, want: Lab): Patch {
	const patch: Patch = {};
	if (have.name !== want.name) patch.name = want.name;
	if (have.quiet !== want.quiet) patch.quiet = want.quiet ?? false;
	for (const part of parts) {
		const changed: Record<string, unknown> = {};
		for (const id of new Set([...Object.keys(have[part]), ...Object.keys(want[part])])) {
			const after = want[part][id] ?? null;
			if (JSON.stringify(have[part][id] ?? null) !== JSON.stringify(after)) changed[id] = after;
		}
		if (Object.keys(changed).length > 0) Object.assign(patch, { [part]: changed });
	}
	return patch;
}

const someNodes = ['a', 'b', 'c', 'd', 'e', 'm1', 'm2'];
const aNode = fc.constantFrom(...someNodes);
const aPlace = fc.record({ x: fc.integer({ min: 24, max: 1400 }), y: fc.integer({ min: 44, max: 900 }) });

const anEdit: fc.Arbitrary<Edit> = fc.oneof(
	fc.record({ id: aNode, place: aPlace }).map(({ id, place }): Edit => {
		const isMachine = id.startsWith('m');
		return {
			addNode: { id, name: id, kind: isMachine ? 'machine' : 'namespace', ...(isMachine ? {} : { in: 'm0', place }) },
		};
	}),
	fc
		.record({ a: aNode, b: aNode, number: fc.nat(99), addresses: fc.nat(3) })
		.map(({ a, b, number, addresses }): Edit => {
			const side = (node: string, letter: string): End => ({
				id: `${letter}${number}`,
				node,
				name: `${letter}${number}`,
				addresses: Array.from({ length: addresses }, (_, at) => `10.${number}.${at}.1/24`),
			});
			return { addCable: { id: `c${number}`, a: side(a, 'a'), b: side(b, 'b') } };
		}),
	fc
		.record({ number: fc.nat(3), node: fc.constantFrom('m0', 'm1', 'a', 'b'), place: aPlace })
		.map(({ number, node, place }): Edit => {
			const id = `br${number}`;
			return {
				addInterface: { id, node, name: id, kind: 'bridge', addresses: ['10.9.0.1/24'], ...placed(number, place) },
			};
		}),
	fc.nat(1).map((number): Edit => ({ addNode: { id: `lan${number}`, name: `lan${number}`, kind: 'lan' } })),
	fc
		.record({
			number: fc.integer({ min: 100, max: 140 }),
			a: aNode,
			b: fc.constantFrom('m0', 'm1', 'a', 'b', 'lan0', 'lan1'),
		})
		.map(({ number, a, b }): Edit => {
			const master = b.startsWith('lan') ? {} : { master: `br${number % 4}` };
			return {
				addCable: {
					id: `c${number}`,
					a: { id: `a${number}`, node: a, name: `a${number}`, addresses: ['10.9.0.2/24'] },
					b: { id: `b${number}`, node: b, name: `b${number}`, ...master },
				},
			};
		}),
	fc
		.record({ number: fc.nat(9), below: fc.nat(140), kind: fc.constantFrom('vlan', 'dummy', 'macvlan'), node: aNode })
		.map(({ number, below, kind, node }): Edit => {
			const on = kind === 'dummy' ? {} : { parent: `a${below}` };
			const id = `on${number}`;
			return { addInterface: { id, node, name: id, kind, options: kind === 'vlan' ? 'id 10' : '', ...on } };
		}),
	fc.record({ id: aNode, in: fc.constantFrom('m0', 'm1', 'm2') }).map((e): Edit => ({ updateNode: e })),
	fc.record({ id: aNode, place: aPlace }).map(({ id, place }): Edit => ({ place: { id, ...place } })),
	fc.nat(99).map((number): Edit => ({ delete: { id: `c${number}` } })),
	aNode.map((id): Edit => ({ delete: { id } })),
	fc
		.record({ number: fc.nat(99), up: fc.boolean() })
		.map(({ number, up }): Edit => ({ updateInterface: { id: `a${number}`, up } })),
);

/** Some have a place, some have none. */
function placed(number: number, place: { x: number; y: number }) {
	return number % 2 === 0 ? { place } : {};
}

/** Any lab that hands could have made: some edits, of which those that are refused change nothing. */
export const anyLab: fc.Arbitrary<Lab> = fc
	.array(anEdit, { maxLength: 80, size: 'max' })
	.map((edits) => edits.reduce(tryEdit, drawn('m0:')));

export const anyEdits: fc.Arbitrary<Edit[]> = fc.array(anEdit, { minLength: 1, maxLength: 5 });

export function tryEdit(lab: Lab, edit: Edit): Lab {
	try {
		return applyEdits(lab, [edit]);
	} catch (err) {
		if (err instanceof Refused) return lab;
		throw err;
	}
}
