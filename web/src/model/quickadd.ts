// One line that makes things: `ns red blue`, `machine neighbour`, `red -- blue`. The line is read into edits against the
// lab as it is; nothing is changed here.
import type { Edit, Lab } from '../wire/types.gen';
import { applyEdits } from './edit';
import { labelOf, newID, nodesInOrder } from './lab';
import { canonicalAddress } from './names';
import { freePlace, machinePlace } from './places';
import { refuse } from './problem';
import { canConnect, suggestCable } from './suggest';

export interface QuickAdd {
	edits: Edit[];
	/** What will happen, in words, while the line is typed. */
	says: string;
}

export interface QuickAddContext {
	/** The machine that new namespaces go into. */
	machine?: string | undefined;
	/** Where the first new thing goes: in its machine, or on the canvas. */
	at?: { x: number; y: number } | undefined;
	addresses: boolean;
}

export const quickAddHelp =
	'ns red blue · machine neighbour · red -- blue · red 192.168.15.1/24 -- blue 192.168.15.2/24';

/** Reads the line, or refuses it with words for under the line. */
export function readQuickAdd(lab: Lab, line: string, context: QuickAddContext): QuickAdd {
	const words = line.trim().split(/\s+/).filter(Boolean);
	const [first = '', ...rest] = words;
	if (words.length === 0) return refuse('bad-request', `write for example ${quickAddHelp.split(' · ')[0]}`);
	if (words.includes('--')) return readCables(lab, words, context);
	if (first === 'ns' || first === 'namespace' || first === 'netns') return readNodes(lab, 'namespace', rest, context);
	if (first === 'machine' || first === 'host' || first === 'm') return readNodes(lab, 'machine', rest, context);
	if (first === 'br' || first === 'bridge') {
		return refuse('not-supported', 'bridges are not drawn yet', {
			hint: `\`ip link add ${rest[0] ?? 'br0'} type bridge\` in a terminal makes one`,
		});
	}
	return refuse('bad-request', `\`${first}\` is no kind of thing`, { hint: quickAddHelp });
}

function readNodes(lab: Lab, kind: 'machine' | 'namespace', names: string[], context: QuickAddContext): QuickAdd {
	if (names.length === 0)
		return refuse('bad-request', `${kind === 'machine' ? 'a machine' : 'a namespace'} needs a name`);
	const within = kind === 'namespace' ? (context.machine ?? firstMachine(lab)) : undefined;
	const edits: Edit[] = [];
	let after = lab;
	for (const [at, name] of names.entries()) {
		const place = at === 0 && context.at ? context.at : within ? freePlace(after, within) : machinePlace(after);
		const edit: Edit = { addNode: { id: newID('n'), name, kind, place, ...(within ? { in: within } : {}) } };
		after = applyEdits(after, [edit]);
		edits.push(edit);
	}
	const where = within ? ` in ${lab.nodes[within]?.name ?? '?'}` : '';
	return { edits, says: `${names.length > 1 ? `${names.length} ${kind}s` : kind} ${names.join(', ')}${where}` };
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
		const can = canConnect(after, from.node, to.node);
		if (!can.ok) return refuse('bad-request', can.reason);
		const explicit = from.addresses.length + to.addresses.length > 0;
		const cable = suggestCable(after, from.node, to.node, { addresses: context.addresses && !explicit });
		if (from.name) cable.a.name = from.name;
		if (to.name) cable.b.name = to.name;
		if (from.addresses.length > 0) cable.a.addresses = from.addresses;
		if (to.addresses.length > 0) cable.b.addresses = to.addresses;
		after = applyEdits(after, [{ addCable: cable }]);
		edits.push({ addCable: cable });
	}
	const cables = edits.flatMap((e) => (e.addCable ? [e.addCable] : []));
	return {
		edits,
		says: cables.map((c) => `${labelOf(lab, c.a.node)}:${c.a.name} – ${labelOf(lab, c.b.node)}:${c.b.name}`).join(', '),
	};
}

interface ReadEnd {
	node: string;
	name?: string;
	addresses: string[];
}

function readEnds(lab: Lab, words: string[], context: QuickAddContext): ReadEnd[] {
	const ends: ReadEnd[] = [];
	for (const w of words) {
		const last = ends.at(-1);
		if (last && /^[0-9a-f.:]+\/\d+$/i.test(w)) {
			last.addresses.push(canonicalAddress(w));
			continue;
		}
		const [label = '', name] = w.split(':');
		ends.push({ node: findNode(lab, label, context), addresses: [], ...(name ? { name } : {}) });
	}
	return ends;
}

/** Finds a node by its label; a bare name prefers the machine that one is in. */
function findNode(lab: Lab, label: string, context: QuickAddContext): string {
	const full = (id: string) => {
		const n = lab.nodes[id];
		return n?.in ? `${lab.nodes[n.in]?.name}/${n.name}` : n?.name;
	};
	const found = nodesInOrder(lab).filter((n) => n.name === label || full(n.id) === label);
	const near = found.find((n) => n.in && n.in === context.machine) ?? found.find((n) => !n.in) ?? found[0];
	return near?.id ?? refuse('no-such-node', `there is no node \`${label}\``);
}

function firstMachine(lab: Lab): string | undefined {
	return nodesInOrder(lab).find((n) => n.kind === 'machine')?.id;
}
