// A port of labengine/vlans.go: in which VLANs a bridge's port is, or the bridge itself, as bridge(8) has it. Page and engine
// are held to each other by labengine/testdata/wiring.json.
import type { Interface, Lab } from '../wire/types.gen';
import { parseOptions } from './options';
import { problemOf, refuse, shown } from './problem';

export interface PortVLAN {
	first: number; // VLAN ids, 1..4094
	last: number;
	pvid: boolean; // frames without a tag that come in are of it
	untagged: boolean; // its frames leave without a tag
}

const maxVLAN = 4094;
const none = 'vid none';

const bad = (message: string) =>
	refuse('bad-value', message, { field: 'vlans', hint: 'write them as vid 10 pvid untagged vid 20 vid 30-40' });

export function parseVLANs(text: string): PortVLAN[] {
	const words = text.split(/[\s,]+/).filter(Boolean);
	if (words.join(' ').replace(/^vid /, '') === 'none') return [];
	const list: PortVLAN[] = [];
	for (let at = 0; at < words.length; ) {
		if (words[at] === 'vid') at++;
		const word = words[at] ?? bad("`vid` is followed by a VLAN's number");
		const [, first = '', last = first] = /^(\d+)(?:-(\d+))?$/.exec(word) ?? [];
		const v = { first: Number(first), last: Number(last), pvid: false, untagged: false };
		if (first === '' || v.first < 1 || v.last > maxVLAN || v.first > v.last) {
			bad(`a VLAN id is a number from 1 to ${maxVLAN}, or two with a dash between; this is ${shown(word)}`);
		}
		for (at++; words[at] === 'pvid' || words[at] === 'untagged'; at++) v[words[at] as 'pvid' | 'untagged'] = true;
		if (v.pvid && word.includes('-')) bad(`one VLAN is the pvid; this is ${shown(word)}`);
		list.push(v);
	}
	if (list.length === 0) bad('no VLAN is said; `none` says that there is none');
	list.sort((a, b) => a.first - b.first);
	list.forEach((v, at) => {
		if (v.first <= (list[at - 1]?.last ?? 0)) bad(`VLAN ${v.first} is there twice`);
	});
	const pvids = list.filter((v) => v.pvid).length;
	if (pvids > 1) bad(`a port has one pvid; there are ${pvids}`);
	return joined(list);
}

/** One range of neighbours with the same rules. */
function joined(list: readonly PortVLAN[]): PortVLAN[] {
	const ranges: PortVLAN[] = [];
	for (const v of list) {
		const before = ranges.at(-1);
		if (before && !v.pvid && !before.pvid && before.last + 1 === v.first && before.untagged === v.untagged) {
			before.last = v.last;
		} else ranges.push({ ...v });
	}
	return ranges;
}

/** The VLAN as bridge(8) takes it. */
function writeVLAN(v: PortVLAN): string {
	const id = v.last > v.first ? `${v.first}-${v.last}` : `${v.first}`;
	return `vid ${id}${v.pvid ? ' pvid' : ''}${v.untagged ? ' untagged' : ''}`;
}

export function writeVLANs(list: readonly PortVLAN[]): string {
	return list.length > 0 ? list.map(writeVLAN).join(' ') : none;
}

/** Checks VLANs and writes them in one way; '' is what a port is in by itself. */
export function canonicalVLANs(text: string): string {
	return text.trim() === '' ? '' : writeVLANs(parseVLANs(text));
}

/** An interface's VLANs where it is a port of this bridge, or the bridge itself. */
export function vlansIn(bridge: Interface, text: string): PortVLAN[] {
	if (text !== '') return parseVLANs(text);
	let pvid = 1;
	problemOf(() => {
		pvid = Number(parseOptions('bridge', bridge.options ?? '').vlan_default_pvid ?? 1);
	});
	return pvid > 0 ? [{ first: pvid, last: pvid, pvid: true, untagged: true }] : [];
}

/** What has to be added, or given other rules, and taken away, to make have into want. */
export function changeVLANs(have: readonly PortVLAN[], want: readonly PortVLAN[]): { add: string[]; remove: string[] } {
	const single = (list: readonly PortVLAN[]) =>
		new Map(
			list.flatMap((v) =>
				Array.from(
					{ length: v.last - v.first + 1 },
					(_, n) => [v.first + n, { ...v, first: v.first + n, last: v.first + n }] as const,
				),
			),
		);
	const [had, has] = [single(have), single(want)];
	const differs = (v: PortVLAN) => {
		const was = had.get(v.first);
		return !was || was.pvid !== v.pvid || was.untagged !== v.untagged;
	};
	const write = (list: PortVLAN[]) => joined(list).map(writeVLAN);
	return {
		add: write([...has.values()].filter(differs)),
		remove: write(
			[...had.values()].filter((v) => !has.has(v.first)).map((v) => ({ ...v, pvid: false, untagged: false })),
		),
	};
}

/** The bridge whose VLANs an interface has to do with: that which it is a port of, or itself. */
export function bridgeOf(lab: Lab, i: Interface): Interface | undefined {
	const bridge = i.kind === 'bridge' ? i : lab.interfaces[i.master ?? ''];
	return bridge?.kind === 'bridge' ? bridge : undefined;
}
