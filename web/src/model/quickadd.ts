// One line that makes things: `ns red blue`, `br v-net-0 192.168.15.5/24`, `red blue -- v-net-0`. The line is read into edits
// against the lab as it is; nothing is changed here.
import type { Edit, Lab } from '../wire/types.gen';
import { applyEdits } from './edit';
import { kinds } from './kinds';
import { interfaceNamed, type Kind, labelOf, newID } from './lab';
import { canonicalAddress, parseIP } from './names';
import { linkKinds, optionsOf } from './options';
import { bridgePlace, freePlace, lanPlace, machinePlace } from './places';
import { refuse } from './problem';
import { sizes } from './sizes';
import { canConnect, suggestCable } from './suggest';
import { type BridgeShape, isBox, isBridge, shapes, type Thing, thingOf, thingsOf } from './things';

export interface QuickAdd {
	edits: Edit[];
	/** What will happen, in words, while the line is typed. */
	says: string;
}

export interface QuickAddContext {
	/** The machine that new namespaces and bridges go into. */
	machine?: string | undefined;
	/** Where the first new thing goes: in its machine, or on the canvas. */
	at?: { x: number; y: number } | undefined;
	addresses: boolean;
}

const lines = [
	'ns red blue',
	'br v-net-0 192.168.15.5/24',
	'red blue -- v-net-0',
	'lan office',
	'route red default via 192.168.15.5',
];

/** Lines to write, as they stand under an empty one. */
export const quickAddHelp = lines.map((line) => `\`${line}\``).join(' · ');

const known = [...Object.values(shapes).map((s) => s.words[0]), ...linkKinds, 'route', 'router']
	.map((word) => `\`${word}\``)
	.join(' ');

/** Whether the first new thing of a line goes into a machine. */
export function goesIntoMachine(line: string): boolean {
	const first = line.trim().split(/\s+/)[0] ?? '';
	return Object.values(shapes).some((s) => s.inMachine && s.words.includes(first));
}

/** Reads the line, or refuses it with words for under the line. */
export function readQuickAdd(lab: Lab, line: string, context: QuickAddContext): QuickAdd {
	const words = line.trim().split(/\s+/).filter(Boolean);
	const [first = '', ...rest] = words;
	if (words.length === 0) return refuse('bad-request', `write for example \`${lines[0]}\``);
	if (words.includes('--')) return readCables(lab, words, context);
	for (const kind of ['bridge', 'ovs'] as const) {
		if (shapes[kind].words.includes(first)) return readBridges(lab, kind, ...within(lab, rest, context));
	}
	for (const [kind, { words: own, inMachine }] of Object.entries(kinds)) {
		if (!own.includes(first)) continue;
		if (!inMachine && rest.includes('in')) refuse('bad-request', `a ${kinds[kind as Kind].title} is in no machine`);
		return readNodes(lab, kind as Kind, ...(inMachine ? within(lab, rest, context) : ([rest, context] as const)));
	}
	if (optionsOf(first)) return readInterface(lab, first, rest, context);
	if (first === 'route') return readRoute(lab, rest, context);
	if (first === 'router') return readRouters(lab, rest, context);
	const hint = `there are ${known}; cables are written \`red -- blue\``;
	return refuse('bad-request', `\`${first}\` is no kind of thing`, { hint });
}

/** `red blue in pc`: where things go can be written behind them, too. */
function within(lab: Lab, words: string[], context: QuickAddContext): [string[], QuickAddContext] {
	const at = words.indexOf('in');
	if (at < 0) return [words, context];
	const [label = ''] = words.slice(-1);
	if (at === 0 || at !== words.length - 2) {
		return refuse('bad-request', 'names go before `in`, and one machine after it', {
			hint: 'as in `ns red blue in host`',
		});
	}
	const machine = Object.values(lab.nodes).find((n) => n.kind === 'machine' && n.name === label);
	const box = machine?.id ?? findThing(lab, label, context);
	return [words.slice(0, -2), box === context.machine ? context : { ...context, machine: box, at: undefined }];
}

function readNodes(lab: Lab, kind: Kind, given: string[], context: QuickAddContext): QuickAdd {
	const { inMachine, title, many } = kinds[kind];
	const names = kind === 'internet' && given.length === 0 ? ['internet'] : given;
	if (names.length === 0) return refuse('bad-request', `a ${title} needs a name`);
	const within = inMachine ? (context.machine ?? firstMachine(lab)) : undefined;
	const edits: Edit[] = [];
	let after = lab;
	for (const [at, name] of names.entries()) {
		const free = () =>
			within ? freePlace(after, within, sizes[kind]) : kind === 'lan' ? lanPlace(after) : machinePlace(after);
		const place = at === 0 && context.at ? context.at : free();
		const edit: Edit = { addNode: { id: newID('n'), name, kind, place, ...(within ? { in: within } : {}) } };
		after = applyEdits(after, [edit]);
		edits.push(edit);
	}
	const where = within ? ` in ${lab.nodes[within]?.name ?? '?'}` : '';
	return { edits, says: `${names.length > 1 ? `${names.length} ${many}` : title} ${names.join(', ')}${where}` };
}

const looksLikeAddress = (word: string) => /^[0-9a-f.:]+\/\d+$/i.test(word);

/** An address that lacks its prefix length would be taken for a name. */
function checkWord(word: string): void {
	if (parseIP(word)) {
		refuse('bad-address', `\`${word}\` lacks its prefix length`, {
			hint: `write it as \`${word}/${word.includes(':') ? 64 : 24}\``,
		});
	}
}

/** `v-net-0 192.168.15.5/24 v-net-1` */
function readBridges(lab: Lab, kind: BridgeShape, words: string[], context: QuickAddContext): QuickAdd {
	const node =
		context.machine ?? firstMachine(lab) ?? refuse('bad-request', 'a bridge is in a machine: draw one first');
	const bridges: { name: string; addresses: string[] }[] = [];
	for (const w of words) {
		const last = bridges.at(-1);
		checkWord(w);
		if (last && looksLikeAddress(w)) last.addresses.push(canonicalAddress(w));
		else bridges.push({ name: w, addresses: [] });
	}
	if (bridges.length === 0) return refuse('bad-request', 'a bridge needs a name');
	const edits: Edit[] = [];
	let after = lab;
	for (const [at, { name, addresses }] of bridges.entries()) {
		const place = at === 0 && context.at ? context.at : bridgePlace(after, node);
		const edit: Edit = { addInterface: { id: newID('i'), node, name, kind, addresses, place } };
		after = applyEdits(after, [edit]);
		edits.push(edit);
	}
	const list = bridges.map((b) => [b.name, ...b.addresses].join(' ')).join(', ');
	return { edits, says: `${shapes[kind].title} ${list} in ${labelOf(lab, node)}` };
}

/** `eth0.10 id 10 on host:eth0`; a dummy is `d0 on red`. */
function readInterface(lab: Lab, kind: string, words: string[], context: QuickAddContext): QuickAdd {
	const on = words.indexOf('on');
	const [name, ...others] = on < 0 ? words : words.slice(0, on);
	const example = kind === 'dummy' ? 'dummy d0 on host' : `${kind} eth0.10 id 10 on host:eth0`;
	if (!name) return refuse('bad-request', `a ${kind} needs a name`, { hint: `write it as ${example}` });
	const addresses = others.filter(looksLikeAddress).map(canonicalAddress);
	const options = others.filter((w) => !looksLikeAddress(w)).join(' ');
	const [label = '', below] = (on < 0 ? '' : (words[on + 1] ?? '')).split(/:(.*)/s);
	const box = label ? findThing(lab, label, context) : (context.machine ?? firstMachine(lab));
	const thing = box ? thingOf(lab, box) : undefined;
	if (!thing) return refuse('bad-request', `say where: \`${example}\``);
	const parent = below
		? (interfaceNamed(lab, thing.node, below)?.id ??
			refuse('no-such-interface', `${labelOf(lab, thing.node)} has no interface \`${below}\``))
		: isBridge(thing.shape)
			? thing.id
			: undefined;
	const edit: Edit = {
		addInterface: {
			id: newID('i'),
			node: thing.node,
			name,
			kind,
			options,
			addresses,
			...(parent ? { parent } : {}),
		},
	};
	applyEdits(lab, [edit]);
	const where = parent ? `on ${labelOf(lab, thing.node)}:${lab.interfaces[parent]?.name}` : `in ${thing.name}`;
	return { edits: [edit], says: [kind, name, options, ...addresses, where].filter(Boolean).join(' ') };
}

/** `red default via 192.168.15.5` */
function readRoute(lab: Lab, [label = '', ...route]: string[], context: QuickAddContext): QuickAdd {
	if (!label) return refuse('bad-request', 'say in which node: `route red default via 192.168.15.5`');
	const node = thingOf(lab, findThing(lab, label, context))?.node ?? '';
	const edit: Edit = { addRoute: { node, route: route.join(' ') } };
	const text = applyEdits(lab, [edit]).nodes[node]?.routes?.at(-1);
	return { edits: [edit], says: `route ${text} in ${labelOf(lab, node)}` };
}

/** `router host`: passes on what is not for itself. */
function readRouters(lab: Lab, labels: string[], context: QuickAddContext): QuickAdd {
	if (labels.length === 0) return refuse('bad-request', 'say which node: `router host`');
	const nodes = labels.map((label) => thingOf(lab, findThing(lab, label, context))?.node ?? '');
	const edits = nodes.map((node): Edit => ({ setSysctl: { node, name: 'net.ipv4.ip_forward', value: '1' } }));
	applyEdits(lab, edits);
	return { edits, says: `net.ipv4.ip_forward=1 in ${nodes.map((n) => labelOf(lab, n)).join(', ')}` };
}

function readCables(lab: Lab, words: string[], context: QuickAddContext): QuickAdd {
	const parts: string[][] = [[]];
	for (const w of words) {
		if (w === '--') parts.push([]);
		else parts.at(-1)?.push(w);
	}
	if (parts.length !== 2) return refuse('bad-request', 'a cable has two ends: `red blue -- host` joins both to host');
	const [left = [], right = []] = parts.map((p) => readEnds(lab, p, context));
	if (left.length === 0 || right.length === 0) return refuse('bad-request', 'a cable has two ends: `red -- blue`');
	if (right.length > 1) return refuse('bad-request', 'on the right of -- stands one node');
	const to = right[0];
	if (!to) return refuse('bad-request', 'a cable has two ends: `red -- blue`');
	const edits: Edit[] = [];
	let after = lab;
	for (const from of left) {
		const can = canConnect(after, from.box, to.box);
		if (!can.ok) return refuse('bad-request', can.reason);
		const explicit = from.addresses.length + to.addresses.length > 0;
		const cable = suggestCable(after, from.box, to.box, { addresses: context.addresses && !explicit });
		if (from.name) cable.a.name = from.name;
		if (to.name) cable.b.name = to.name;
		if (from.addresses.length > 0) cable.a.addresses = from.addresses;
		if (to.addresses.length > 0) cable.b.addresses = to.addresses;
		after = applyEdits(after, [{ addCable: cable }]);
		edits.push({ addCable: cable });
	}
	const cables = edits.flatMap((e) => (e.addCable ? [e.addCable] : []));
	const where = (box: string) => (lab.nodes[box] ? labelOf(lab, box) : (thingOf(lab, box)?.name ?? '?'));
	return {
		edits,
		says: cables.map((c, at) => `${where(left[at]?.box ?? '')}:${c.a.name} – ${where(to.box)}:${c.b.name}`).join(', '),
	};
}

interface ReadEnd {
	/** A node or a bridge. */
	box: string;
	name?: string;
	addresses: string[];
}

function readEnds(lab: Lab, words: string[], context: QuickAddContext): ReadEnd[] {
	const ends: ReadEnd[] = [];
	for (const w of words) {
		const last = ends.at(-1);
		checkWord(w);
		if (last && looksLikeAddress(w)) {
			last.addresses.push(canonicalAddress(w));
			continue;
		}
		const [label = '', name] = w.split(':');
		ends.push({ box: findThing(lab, label, context), addresses: [], ...(name ? { name } : {}) });
	}
	return ends;
}

/** Finds a node or a bridge by its label; a bare name prefers the machine that one is in, machines, and nodes to bridges. */
function findThing(lab: Lab, label: string, context: QuickAddContext): string {
	const found = thingsOf(lab).filter((t) => {
		const outer = t.within ? (lab.nodes[t.within]?.name ?? '') : undefined;
		return t.name === label || (outer !== undefined && `${outer}/${t.name}` === label);
	});
	const isNode = (id: string) => {
		const i = lab.interfaces[id];
		return !i || !isBox(lab, i);
	};
	const near = found.find((t) => t.within && t.within === context.machine) ?? found.find((t) => !t.within);
	if (near) return near.id;
	const nodes = found.filter((t) => isNode(t.id));
	const [only, another] = nodes.length > 0 ? nodes : found;
	if (!only) return refuse('no-such-node', `there is no node \`${label}\``);
	if (!another) return only.id;
	const full = (t: Thing) => `${lab.nodes[t.within ?? '']?.name}/${t.name}`;
	return refuse('bad-request', `there are \`${full(only)}\` and \`${full(another)}\`: say which`);
}

function firstMachine(lab: Lab): string | undefined {
	return thingsOf(lab).find((t) => t.shape === 'machine')?.id;
}
