// How large things are drawn, in canvas pixels: one row for each kind of box.
import type { Interface } from '../wire/types.gen';
import { isBar, type Shape, type Thing } from './things';

export type { Shape };

export interface Size {
	w: number;
	h: number;
}

export const sizes: Readonly<Record<Shape, Size>> = {
	machine: { w: 320, h: 176 }, // at least; it grows with what is in it
	namespace: { w: 132, h: 64 },
	container: { w: 148, h: 72 },
	bridge: { w: 160, h: 28 }, // at least: its name and first address are in it
	ovs: { w: 160, h: 28 },
	lan: { w: 160, h: 28 },
	internet: { w: 180, h: 64 },
};

export const headerHeight = 32; // of a machine
export const padding = 24; // between a machine's border and what is in it

export const jackGap = 22; // between two jacks of a side, at least

// A label at a cable's end: condensed, 11 px.
export const rowHeight = 12;
export const characterWidth = 5.4; // measured on addresses; names are a little narrower

const letterWidth = { name: 7.4, address: 6.7 }; // of a bar's text

/** The address that a bar shows, and how many more there are. */
export function barAddress(addresses: readonly string[]): string {
	const [first = '', ...more] = addresses;
	return more.length > 0 ? `${first} +${more.length}` : first;
}

/** What a box takes by itself. `bridge` is its interface, where it is one. */
export function sizeOf(t: Thing, bridge?: Interface): Size {
	const size = sizes[t.shape];
	if (!isBar(t.shape)) return size;
	const address = barAddress(bridge?.addresses ?? []);
	const text =
		t.name.length * letterWidth.name +
		(t.shape === 'ovs' ? 28 : 0) +
		(address ? 12 + address.length * letterWidth.address : 0);
	return { w: Math.max(size.w, Math.ceil((text + 56) / 8) * 8), h: size.h };
}
