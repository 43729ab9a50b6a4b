// How large things are drawn, in canvas pixels: one row for each kind of node.
import type { Kind } from './lab';

export type { Kind };

export interface Size {
	w: number;
	h: number;
}

export const sizes: Readonly<Record<Kind, Size>> = {
	machine: { w: 320, h: 176 }, // at least; it grows with what is in it
	namespace: { w: 132, h: 64 },
	container: { w: 148, h: 72 },
	lan: { w: 160, h: 28 },
	internet: { w: 180, h: 64 },
};

export const headerHeight = 32; // of a machine
export const padding = 24; // between a machine's border and what is in it

export const jackGap = 22; // between two jacks of a side, at least

// A label at a cable's end: condensed, 11 px.
export const rowHeight = 12;
export const characterWidth = 5.4; // measured on addresses; names are a little narrower
