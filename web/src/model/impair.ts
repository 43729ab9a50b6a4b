// A port of labengine/impair.go: what happens to the frames that an interface sends. Each direction of a cable has its
// own, at the sending end. Sources: tc-netem(8), tc-tbf(8).
import { refuse, shown } from './problem';

export interface Impairment {
	rate: number; // bits per second
	delay: number; // µs
	jitter: number; // µs
	loss: number; // percent, as all that follow
	duplicate: number;
	corrupt: number;
	reorder: number;
	cut: boolean;
}

const nothing: Impairment = { rate: 0, delay: 0, jitter: 0, loss: 0, duplicate: 0, corrupt: 0, reorder: 0, cut: false };
const shares = ['loss', 'duplicate', 'corrupt', 'reorder'] as const;
const example = 'write it as `rate 1mbit`, `delay 100ms 10ms loss 2%` or `cut`';

const isShare = (word: string): word is (typeof shares)[number] => (shares as readonly string[]).includes(word);
const number = (text: string) => (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN);

/** Reads an impairment as tc-netem(8) takes it, with `cut` besides. */
export function parseImpairment(text: string): Impairment {
	const bad = (message: string) => refuse('bad-value', message, { field: 'impair', hint: example });
	const i = { ...nothing };
	const words = text.split(/\s+/).filter(Boolean);
	const seen = new Set<string>();
	for (let at = 0; at < words.length; at++) {
		const word = words[at] ?? '';
		if (seen.has(word)) bad(`\`${word}\` is there twice`);
		seen.add(word);
		if (word === 'cut') {
			i.cut = true;
			continue;
		}
		if (word !== 'rate' && word !== 'delay' && !isShare(word)) {
			bad(`${shown(word)} is no word for what happens on a cable`);
		}
		const value = words[++at] ?? bad(`\`${word}\` is followed by its value`);
		if (word === 'rate') {
			i.rate =
				parseRate(value) ?? bad(`\`rate\` is a number of bits per second, 1kbit to 100gbit; this is ${shown(value)}`);
		} else if (word === 'delay') {
			i.delay = parseDelay(value) ?? bad(`\`delay\` is a time up to 100s; this is ${shown(value)}`);
			const next = words[at + 1];
			if (next !== undefined && /^\d/.test(next)) {
				at++;
				const jitter = parseDelay(next);
				if (jitter === undefined || jitter > i.delay) {
					bad(`the jitter behind \`delay\` is a time up to the delay; this is ${shown(next)}`);
				}
				i.jitter = jitter ?? 0;
			}
		} else if (isShare(word)) {
			const share = number(value.replace(/%$/, ''));
			if (!(share >= 0 && share <= 100)) {
				bad(`\`${word}\` is a share from 0% to 100%; this is ${shown(value)}`);
			}
			i[word] = Math.round(share * 1000) / 1000;
		}
	}
	if (i.reorder > 0 && i.delay === 0) {
		bad('`reorder` lets some frames overtake others that are delayed: it needs a `delay`');
	}
	if (i.cut && writeImpairment({ ...i, cut: false }) !== '') bad('what is cut has no other impairment');
	return i;
}

export function canonicalImpairment(text: string): string {
	return writeImpairment(parseImpairment(text));
}

/** As tc-netem(8) takes it. */
export function writeImpairment(i: Impairment): string {
	const words: string[] = [];
	if (i.cut) words.push('cut');
	if (i.delay > 0) words.push('delay', formatDelay(i.delay));
	if (i.delay > 0 && i.jitter > 0) words.push(formatDelay(i.jitter));
	for (const word of shares) if (i[word] > 0) words.push(word, `${i[word]}%`);
	if (i.rate > 0) words.push('rate', formatRate(i.rate));
	return words.join(' ');
}

/** Whether more than a rate or a cut is asked for. */
export function needsNetem(text: string): boolean {
	const i = parseImpairment(text);
	return !i.cut && writeImpairment({ ...i, rate: 0 }) !== '';
}

const rateUnits = [
	['gbit', 1e9],
	['mbit', 1e6],
	['kbit', 1e3],
	['bit', 1],
] as const;

function parseRate(text: string): number | undefined {
	for (const [name, bits] of rateUnits) {
		if (!text.toLowerCase().endsWith(name)) continue;
		const rate = Math.round(number(text.slice(0, -name.length)) * bits);
		return rate >= 1e3 && rate <= 100e9 ? rate - (rate % 8) : undefined; // the kernel counts bytes
	}
	return undefined;
}

function formatRate(bits: number): string {
	const unit = rateUnits.find(([, u]) => bits % u === 0) ?? rateUnits[3];
	return bits / unit[1] + unit[0];
}

const delayUnits = [
	['us', 1],
	['ms', 1e3],
	['s', 1e6],
] as const;

export function parseDelay(text: string): number | undefined {
	for (const [name, micro] of delayUnits) {
		if (!text.endsWith(name)) continue;
		const value = number(text.slice(0, -name.length));
		return value >= 0 && value * micro <= 100e6 ? Math.round(value * micro) : undefined;
	}
	return undefined;
}

export function formatDelay(micro: number): string {
	const [name, unit] = [...delayUnits].reverse().find(([, u]) => micro % u === 0) ?? delayUnits[0];
	return micro / unit + name;
}

/** What the middle of a cable says: `1 mbit`, `100 ms 2 %`, `✕`. */
export function impairmentMark(text: string): string {
	if (text === 'cut') return '✕';
	return text
		.replace(/\b(rate|delay|loss) /g, '')
		.replace(/(\d)([a-z%])/g, '$1 $2')
		.replace(/\bduplicate /, 'dup ')
		.replace(/\bcorrupt /, 'corrupt ');
}
