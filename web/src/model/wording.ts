// What happened, in words; and other names for what was refused because of its name.
import type { Change, Edit, Lab } from '../wire/types.gen';
import { interfaceNamed, nodeNamed } from './lab';
import { capital } from './problem';

/** With a capital, unless it begins with the name of something, which stays as it is. */
export function asSentence(lab: Lab, text: string): string {
	const first = text.split(/[\s:,/]/)[0];
	const isName = [...Object.values(lab.nodes), ...Object.values(lab.interfaces)].some((thing) => thing.name === first);
	return isName ? text : capital(text);
}

/** "Undid `ip link add br9 type bridge` by `ip link del br9`". The entry is what was taken back. */
export function takenBackText(c: Change, entry: readonly Change[]): string {
	const verb = c.origin === 'undo' ? 'Undid' : 'Redid';
	const by = linesOf([c]) && ` by ${linesOf([c])}`;
	const [first] = entry;
	if (first?.origin !== 'terminal' || !linesOf(entry)) return `${verb} “${first?.sentence ?? c.sentence}”${by}`;
	return `${verb} ${linesOf(entry)}${by}`;
}

/** The change that another takes back, with those that joined it. */
export function entryOf(changes: readonly Change[], takes: number | undefined): Change[] {
	const at = changes.findIndex((c) => c.seq === takes);
	if (at < 0) return [];
	const end = changes.findIndex((c, other) => other > at && !c.joins);
	return changes.slice(at, end < 0 ? undefined : end);
}

const shownLines = 2;

function linesOf(changes: readonly Change[]): string {
	const lines = changes.flatMap((c) => c.commands ?? []).map((l) => `\`${l.line}\``);
	const more = lines.length > shownLines ? ` and ${lines.length - shownLines} more` : '';
	return lines.slice(0, shownLines).join(', ') + more;
}

/** "Restored revision 12" of a change that did so. */
export function restoredText(c: Change): string {
	return c.sentence.replace(/^Restore /, 'Restored ');
}

const shownText = 120; // characters

/** What was typed into a field that went with what it was about: "New name of green: `verde` was not applied, …" */
export function lostText(label: string, text: string, c: Change | undefined): string {
	const what = text.length > shownText || text.includes('`') ? 'what was typed' : `\`${text}\``;
	const where = c?.origin === 'terminal' ? ' in a terminal' : '';
	return `${label}: ${what} was not applied${c ? `, because “${c.sentence}”${where} came first` : ''}.`;
}

/** The edits with another name for one thing that they make or rename. */
export function withName(edits: readonly Edit[], id: string, name: string): Edit[] {
	return edits.map((e): Edit => {
		if (e.addInterface?.id === id) return { addInterface: { ...e.addInterface, name } };
		if (e.addNode?.id === id) return { addNode: { ...e.addNode, name } };
		if (e.updateNode?.id === id) return { updateNode: { ...e.updateNode, name } };
		if (e.updateInterface?.id === id) return { updateInterface: { ...e.updateInterface, name } };
		if (e.addCable?.a.id === id) return { addCable: { ...e.addCable, a: { ...e.addCable.a, name } } };
		if (e.addCable?.b.id === id) return { addCable: { ...e.addCable, b: { ...e.addCable.b, name } } };
		return e;
	});
}

/** The thing that has the name which an edit wants to give to `id`. */
export function holderOfName(lab: Lab, edits: readonly Edit[], id: string): string | undefined {
	for (const e of edits) {
		const node = e.addNode ?? e.updateNode;
		if (node?.id === id && node.name !== undefined)
			return nodeNamed(lab, node.in ?? lab.nodes[id]?.in ?? '', node.name)?.id;
		for (const end of [e.addCable?.a, e.addCable?.b])
			if (end?.id === id) return interfaceNamed(lab, end.node, end.name)?.id;
		const made = e.addInterface;
		if (made?.id === id) return interfaceNamed(lab, made.node, made.name)?.id;
		const i = e.updateInterface;
		if (i?.id !== id) continue;
		const now = lab.interfaces[id];
		return interfaceNamed(lab, i.node ?? now?.node ?? '', i.name ?? now?.name ?? '')?.id;
	}
	return undefined;
}
