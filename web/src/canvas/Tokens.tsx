// Packets on their cables: one 2D canvas over the drawing, one loop that sleeps while nothing travels.
import { useStoreApi } from '@xyflow/react';
import { useEffect, useRef } from 'react';
import { pointOn } from '../model/curves';
import type { Family } from '../model/frames';
import type { Curve, Point } from '../model/geometry';
import { crossing, rateText, rateWidth, type Token } from '../model/traffic';
import { onTraffic } from '../session/actions';
import { traffic, useGeometry, useLab, useView } from '../session/stores';
import { far } from '../session/viewport';

const size = 9; // of a token
const glow = 400; // ms that a cable lights, where nothing may travel
const textFrom = 0.9; // zoom
const textUpTo = 12; // tokens
const textRows = 3; // of texts above a cable
const font = '11px "IBM Plex Sans Condensed"';

export function TokenCanvas() {
	const canvas = useRef<HTMLCanvasElement>(null);
	const store = useStoreApi();
	useEffect(() => {
		const element = canvas.current;
		const context = element?.getContext('2d');
		if (!element || !context) return;
		const still = matchMedia('(prefers-reduced-motion: reduce)');
		const dark = matchMedia('(prefers-color-scheme: dark)');
		let frame = 0;
		const draw = () => {
			frame = 0;
			const { width, height, transform } = store.getState();
			const ratio = Math.min(2, devicePixelRatio);
			if (element.width !== Math.round(width * ratio) || element.height !== Math.round(height * ratio)) {
				element.width = Math.round(width * ratio);
				element.height = Math.round(height * ratio);
			}
			context.setTransform(ratio, 0, 0, ratio, 0, 0);
			context.clearRect(0, 0, width, height);
			const now = performance.now();
			const tokens = traffic.at(now);
			const pen: Pen = {
				context,
				transform,
				colours: coloursOf(element, dark.matches),
				motionless: still.matches || useView.getState().stillness,
				withText: transform[2] >= textFrom && tokens.length <= textUpTo,
			};
			drawRates(pen);
			for (const t of tokens) drawToken(pen, t, now - t.start);
			element.dataset.tokens = String(tokens.length);
			if (!traffic.idle) frame = requestAnimationFrame(draw);
		};
		const wake = () => {
			if (frame === 0) frame = requestAnimationFrame(draw);
		};
		const stop = onTraffic(wake);
		const unsubscribe = store.subscribe((s, before) => {
			if (s.transform !== before.transform && !traffic.idle) wake();
		});
		return () => {
			stop();
			unsubscribe();
			cancelAnimationFrame(frame);
		};
	}, [store]);
	return (
		<div aria-hidden="true">
			<canvas ref={canvas} className="tokens" data-testid="tokens" />
		</div>
	);
}

type Colours = Record<Family | 'ink' | 'canvas' | 'cable', string>;

interface Pen {
	context: CanvasRenderingContext2D;
	/** Of the view: x, y, zoom. */
	transform: readonly [number, number, number];
	colours: Colours;
	/** Nothing may travel: cables light up instead. */
	motionless: boolean;
	withText: boolean;
}

let known: { theme: string; colours: Colours } | undefined;

/** Colours of the theme that holds now; read once per theme, for getComputedStyle is slow. */
function coloursOf(element: Element, dark: boolean): Colours {
	const theme = `${document.documentElement.dataset.theme} ${dark}`;
	if (known?.theme === theme) return known.colours;
	const style = getComputedStyle(element);
	const read = (name: string) => style.getPropertyValue(name).trim();
	const colours: Colours = {
		arp: read('--protocol-arp'),
		icmp: read('--protocol-icmp'),
		tcp: read('--protocol-tcp'),
		udp: read('--protocol-udp'),
		dns: read('--protocol-dns'),
		http: read('--protocol-http'),
		dhcp: read('--protocol-dhcp'),
		other: read('--protocol-other'),
		ink: read('--ink'),
		canvas: read('--canvas'),
		cable: read('--cable'),
	};
	known = { theme, colours };
	return colours;
}

function drawToken(pen: Pen, t: Token, age: number): void {
	const curve = useGeometry.getState().curves[t.cable];
	if (!curve) return;
	if (pen.motionless) {
		if (age <= glow) drawLit(pen, t, curve);
		return;
	}
	const { context: c, colours } = pen;
	const at = onScreen(pen, curve, t.forward ? age / crossing : 1 - age / crossing);
	const radius = ((size - 1) / 2) * Math.min(1, Math.max(0.6, pen.transform[2] / far)); // the stroke is 1 px more
	c.beginPath();
	shapes[t.family](c, at.x, at.y, radius);
	c.lineWidth = t.reply ? 2 : 1;
	c.fillStyle = t.reply ? colours.canvas : colours[t.family];
	c.fill();
	c.strokeStyle = colours[t.family];
	c.stroke();
	if (t.letter) drawLetter(pen, t.letter, at, t.reply ? colours.ink : colours.canvas);
	drawText(pen, t, at, curve);
}

/** The cable alight, with a chevron that says which way, and the protocol's letter. */
function drawLit(pen: Pen, t: Token, curve: Curve): void {
	const { context: c, colours } = pen;
	const scale = Math.min(1, pen.transform[2] / far);
	trace(pen, curve);
	c.strokeStyle = colours[t.family];
	c.lineWidth = Math.max(1.5, 4 * scale);
	c.stroke();
	const spot = t.forward ? 0.6 : 0.4; // past the middle, so that there and back are two
	const ahead = onScreen(pen, curve, t.forward ? spot + 0.02 : spot - 0.02);
	const at = onScreen(pen, curve, spot);
	const angle = Math.atan2(ahead.y - at.y, ahead.x - at.x);
	c.save();
	c.translate(at.x, at.y);
	c.rotate(angle);
	c.scale(scale, scale);
	c.beginPath();
	c.moveTo(-8, -9);
	c.lineTo(9, 0);
	c.lineTo(-8, 9);
	c.closePath();
	c.fillStyle = colours[t.family];
	c.fill();
	c.restore();
	if (scale === 1) drawLetter(pen, t.letter || t.family.slice(0, 1).toUpperCase(), at, colours.canvas);
	drawText(pen, t, at, curve);
}

function drawLetter({ context: c }: Pen, letter: string, at: Point, colour: string): void {
	c.font = '600 8px "IBM Plex Sans Condensed"';
	c.textAlign = 'center';
	c.fillStyle = colour;
	c.fillText(letter, at.x, at.y + 3);
}

/** Above the label of the cable's end, between the two nodes; beside a steep cable, on the side that its labels leave free. */
function drawText(pen: Pen, t: Token, at: Point, curve: Curve): void {
	if (!pen.withText || !t.text || t.row >= textRows) return;
	const { context: c, colours } = pen;
	c.font = font;
	const half = c.measureText(t.text).width / 2 + 4;
	const [a, b] = [onScreen(pen, curve, 0), onScreen(pen, curve, 1)];
	const [low, high] = [Math.min(a.x, b.x) + half, Math.max(a.x, b.x) - half];
	if (Math.abs(a.y - b.y) > Math.abs(a.x - b.x)) {
		const aside = labelsAreRight(t.cable) ? -half - 6 : half + 6;
		write(pen, t.text, { x: at.x + aside, y: at.y + 4 }, colours[t.family]);
		return;
	}
	const x = low <= high ? Math.min(high, Math.max(low, at.x)) : at.x;
	write(pen, t.text, { x, y: at.y - 23 - t.row * 12 }, colours[t.family]);
}

function labelsAreRight(cable: string): boolean {
	const { jacks } = useGeometry.getState();
	const ends = useLab.getState().lab.cables[cable]?.ends ?? [];
	return ends.every((end) => jacks[end]?.label.anchor === 'start');
}

function write({ context: c, colours }: Pen, text: string, at: Point, colour: string): void {
	c.font = font;
	c.textAlign = 'center';
	c.lineWidth = 3;
	c.strokeStyle = colours.canvas;
	c.strokeText(text, at.x, at.y);
	c.fillStyle = colour;
	c.fillText(text, at.x, at.y);
}

function onScreen({ transform: [x, y, zoom] }: Pen, curve: Curve, t: number): Point {
	const p = pointOn(curve, t);
	return { x: p.x * zoom + x, y: p.y * zoom + y };
}

function trace(pen: Pen, curve: Curve): void {
	pen.context.beginPath();
	for (let at = 0; at <= 32; at++) {
		const p = onScreen(pen, curve, at / 32);
		pen.context.lineTo(p.x, p.y);
	}
}

type Shape = (c: CanvasRenderingContext2D, x: number, y: number, radius: number) => void;

/** A regular polygon, turned; `grow` makes up for what it lacks beside a disc. */
function polygon(corners: number, turn: number, grow: number): Shape {
	return (c, x, y, radius) => {
		for (let at = 0; at < corners; at++) {
			const angle = turn + (at * 2 * Math.PI) / corners;
			c.lineTo(x + radius * grow * Math.cos(angle), y + radius * grow * Math.sin(angle));
		}
		c.closePath();
	};
}

const disc: Shape = (c, x, y, radius) => c.arc(x, y, radius, 0, 2 * Math.PI);

const shapes: Readonly<Record<Family, Shape>> = {
	arp: polygon(4, 0, 1.3),
	icmp: disc,
	tcp: polygon(4, Math.PI / 4, 1.3),
	udp: polygon(3, -Math.PI / 2, 1.3),
	dns: polygon(3, Math.PI / 2, 1.3),
	http: polygon(6, 0, 1.15),
	dhcp: polygon(5, -Math.PI / 2, 1.15),
	other: disc,
};

/** Busy cables: wider, and their rate beside them; from afar only where one looks. */
function drawRates(pen: Pen): void {
	const { selection, hover } = useView.getState();
	for (const [id, rate] of traffic.rates) {
		const curve = useGeometry.getState().curves[id];
		if (!curve) continue;
		trace(pen, curve);
		pen.context.strokeStyle = pen.colours.cable;
		pen.context.lineWidth = rateWidth(rate.bits) * pen.transform[2];
		pen.context.stroke();
		const mid = onScreen(pen, curve, 0.5);
		if (pen.transform[2] < far && id !== hover && !selection.has(id)) continue;
		write(pen, rateText(rate), { x: mid.x, y: mid.y + 18 }, pen.colours.ink);
	}
}
