// Packets on their cables: one 2D canvas over the drawing, one loop that sleeps while nothing travels.
import { useStoreApi } from '@xyflow/react';
import { useEffect, useRef } from 'react';
import type { Family } from '../model/frames';
import { pointOn } from '../model/geometry';
import { crossing, rateText, rateWidth, type Token } from '../model/traffic';
import { onTraffic } from '../session/actions';
import { traffic, useGeometry, useView } from '../session/stores';

const size = 9;
const glow = 400; // ms that a cable lights, where nothing may travel
const textFrom = 0.9; // zoom
const textUpTo = 12; // tokens

export function TokenCanvas() {
	const canvas = useRef<HTMLCanvasElement>(null);
	const store = useStoreApi();
	useEffect(() => {
		const element = canvas.current;
		const context = element?.getContext('2d');
		if (!element || !context) return;
		const still = matchMedia('(prefers-reduced-motion: reduce)');
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
			const motionless = still.matches || useView.getState().stillness;
			drawRates(context, transform, tokensColours(element));
			for (const t of tokens) drawToken(context, t, now, transform, tokens.length, motionless, tokensColours(element));
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
	return <canvas ref={canvas} className="tokens" aria-hidden="true" data-testid="tokens" />;
}

type Transform = readonly [number, number, number];
type Colours = Record<Family | 'ink' | 'canvas' | 'cable', string>;

let colours: { of: string; values: Colours } | undefined;

/** Colours of the theme that holds now; read once per theme, for getComputedStyle is slow. */
function tokensColours(element: Element): Colours {
	const theme = `${document.documentElement.dataset.theme} ${matchMedia('(prefers-color-scheme: dark)').matches}`;
	if (colours?.of === theme) return colours.values;
	const style = getComputedStyle(element);
	const read = (name: string) => style.getPropertyValue(name).trim();
	const values: Colours = {
		arp: read('--protocol-arp'),
		icmp: read('--protocol-icmp'),
		tcp: read('--protocol-tcp'),
		udp: read('--protocol-udp'),
		dns: read('--protocol-dns'),
		http: read('--protocol-http'),
		dhcp: read('--protocol-dhcp'),
		other: read('--small'),
		ink: read('--ink'),
		canvas: read('--canvas'),
		cable: read('--cable'),
	};
	colours = { of: theme, values };
	return values;
}

function drawToken(
	c: CanvasRenderingContext2D,
	t: Token,
	now: number,
	[x, y, zoom]: Transform,
	count: number,
	still: boolean,
	colour: Colours,
): void {
	const curve = useGeometry.getState().curves[t.cable];
	if (!curve) return;
	const age = now - t.start;
	if (still) {
		if (age > glow) return;
		c.beginPath();
		for (let at = 0; at <= 32; at++) {
			const p = pointOn(curve, at / 32);
			c.lineTo(p.x * zoom + x, p.y * zoom + y);
		}
		c.strokeStyle = colour[t.family];
		c.lineWidth = 4;
		c.stroke();
	}
	const progress = still ? 0.5 : age / crossing;
	const p = pointOn(curve, t.forward ? progress : 1 - progress);
	const [px, py] = [p.x * zoom + x, p.y * zoom + y];
	c.beginPath();
	shape(c, t.family, px, py, size / 2 + 0.5);
	c.lineWidth = t.reply ? 2 : 1;
	c.fillStyle = t.reply ? colour.canvas : colour[t.family];
	c.fill();
	c.strokeStyle = colour[t.family];
	c.stroke();
	if (t.letter) {
		c.font = '600 8px "IBM Plex Sans Condensed"';
		c.textAlign = 'center';
		c.fillStyle = t.reply ? colour.ink : colour.canvas;
		c.fillText(t.letter, px, py + 3);
	}
	if (t.text && zoom >= textFrom && count <= textUpTo) {
		c.font = '11px "IBM Plex Sans Condensed"';
		c.textAlign = 'center';
		c.lineWidth = 3;
		c.strokeStyle = colour.canvas;
		c.strokeText(t.text, px, py - 23);
		c.fillStyle = colour[t.family];
		c.fillText(t.text, px, py - 23);
	}
}

function shape(c: CanvasRenderingContext2D, family: Family, x: number, y: number, r: number): void {
	const polygon = (corners: number, turn: number, radius = r * 1.15) => {
		for (let at = 0; at < corners; at++) {
			const angle = turn + (at * 2 * Math.PI) / corners;
			c.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
		}
		c.closePath();
	};
	switch (family) {
		case 'arp':
			return polygon(4, 0, r * 1.3);
		case 'tcp':
			return polygon(4, Math.PI / 4, r * 1.3);
		case 'udp':
			return polygon(3, -Math.PI / 2, r * 1.3);
		case 'dns':
			return polygon(3, Math.PI / 2, r * 1.3);
		case 'http':
			return polygon(6, 0);
		case 'dhcp':
			return polygon(5, -Math.PI / 2);
		case 'icmp':
		case 'other':
			c.arc(x, y, r, 0, 2 * Math.PI);
	}
}

/** Busy cables: wider, and their rate beside them. */
function drawRates(c: CanvasRenderingContext2D, [x, y, zoom]: Transform, colour: Colours): void {
	for (const [id, rate] of traffic.rates) {
		const curve = useGeometry.getState().curves[id];
		if (!curve) continue;
		c.beginPath();
		for (let at = 0; at <= 32; at++) {
			const p = pointOn(curve, at / 32);
			c.lineTo(p.x * zoom + x, p.y * zoom + y);
		}
		c.strokeStyle = colour.cable;
		c.lineWidth = rateWidth(rate.bits) * zoom;
		c.stroke();
		const mid = pointOn(curve, 0.5);
		c.font = '11px "IBM Plex Sans Condensed"';
		c.textAlign = 'center';
		c.strokeStyle = colour.canvas;
		c.lineWidth = 3;
		c.strokeText(rateText(rate), mid.x * zoom + x, mid.y * zoom + y + 18);
		c.fillStyle = colour.ink;
		c.fillText(rateText(rate), mid.x * zoom + x, mid.y * zoom + y + 18);
	}
}
