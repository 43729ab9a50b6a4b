// A port of labengine/options.go: the kinds of link that the document makes besides cables, and their options in
// ip-link(8)'s words. Page and engine are held to each other by labengine/testdata/wiring.json.
import { formatIP, parseIP } from './names';
import { refuse, shown } from './problem';

export interface LinkOption {
	name: string;
	type: 'number' | 'choice' | 'address';
	min?: number;
	max?: number;
	words?: readonly string[];
	/** What the kernel does without the word; none where the word is needed. */
	default?: string;
	/** The kernel does not change it while the link lives. */
	fixed?: boolean;
	/** For people: what a number counts, or what the option does. */
	about?: string;
	/** The feature that a kernel may lack. */
	feature?: string;
}

const trueFalse = { type: 'choice', words: ['true', 'false'], default: 'false' } as const;
const onOff = { type: 'number', min: 0, max: 1 } as const;

const linkOptions: Readonly<Record<string, readonly LinkOption[]>> = {
	dummy: [],
	ovs: [
		{ name: 'stp_enable', ...trueFalse, about: 'spanning tree: breaks loops' },
		{ name: 'rstp_enable', ...trueFalse, about: 'the same, faster' },
		{ name: 'mcast_snooping_enable', ...trueFalse, about: 'multicast only where it is asked for' },
		{
			name: 'fail_mode',
			type: 'choice',
			words: ['standalone', 'secure'],
			default: 'standalone',
			about: 'without a controller: learn, or go by the flows alone',
		},
	],
	bridge: [
		{ name: 'stp_state', ...onOff, default: '0', about: 'spanning tree: breaks loops' },
		{ name: 'forward_delay', type: 'number', min: 200, max: 3000, default: '1500', about: '1/100 s' },
		{ name: 'ageing_time', type: 'number', min: 0, max: 100_000_000, default: '30000', about: '1/100 s' },
		{ name: 'priority', type: 'number', min: 0, max: 65535, default: '32768', about: 'the least is the root' },
		{ name: 'mcast_snooping', ...onOff, default: '1', about: 'multicast only where it is asked for' },
		{ name: 'vlan_filtering', ...onOff, default: '0', about: 'ports have VLANs', feature: 'vlan_filtering' },
		{
			name: 'vlan_default_pvid',
			type: 'number',
			min: 0,
			max: 4094,
			default: '1',
			about: 'VLAN of new ports',
			feature: 'vlan_filtering',
		},
	],
	vlan: [
		{ name: 'protocol', type: 'choice', words: ['802.1Q', '802.1ad'], default: '802.1Q', fixed: true },
		{ name: 'id', type: 'number', min: 0, max: 4094, fixed: true },
	],
	vxlan: [
		{ name: 'id', type: 'number', min: 0, max: 2 ** 24 - 1, fixed: true, about: 'VNI' },
		{ name: 'remote', type: 'address', default: 'any', fixed: true },
		{ name: 'local', type: 'address', default: 'any', fixed: true },
		{ name: 'dstport', type: 'number', min: 1, max: 65535, default: '8472', fixed: true, about: 'UDP' },
		{ name: 'ttl', type: 'number', min: 0, max: 255, default: '0', fixed: true },
	],
	tun: [
		{ name: 'mode', type: 'choice', words: ['tun', 'tap'], default: 'tun', fixed: true, about: 'packets, or frames' },
		{ name: 'pi', ...onOff, default: '0', fixed: true, about: 'packet information' },
		{ name: 'vnet_hdr', ...onOff, default: '0', fixed: true },
		{ name: 'multi_queue', ...onOff, default: '0', fixed: true },
	],
	macvlan: [
		{ name: 'mode', type: 'choice', words: ['private', 'vepa', 'bridge', 'passthru'], default: 'vepa', fixed: true },
	],
};

/** The options of a kind of link; undefined where the document does not make such links. */
/** What is made by its kind's name, bridges aside. */
export const linkKinds = Object.keys(linkOptions).filter((kind) => kind !== 'bridge' && kind !== 'ovs');

export function optionsOf(kind: string): readonly LinkOption[] | undefined {
	return Object.hasOwn(linkOptions, kind) ? linkOptions[kind] : undefined;
}

export function needsParent(kind: string): boolean {
	return kind === 'vlan' || kind === 'macvlan';
}

export function mayHaveParent(kind: string): boolean {
	return needsParent(kind) || kind === 'vxlan';
}

const bad = (message: string, hint = '') =>
	refuse('bad-value', message, hint ? { field: 'options', hint } : { field: 'options' });

/** A kind's options by name, as ip-link(8) takes them. Defaults are not filled in. */
export function parseOptions(kind: string, text: string): Record<string, string> {
	const options = optionsOf(kind) ?? [];
	const values: Record<string, string> = {};
	const words = text.split(/\s+/).filter(Boolean);
	for (let at = 0; at < words.length; at += 2) {
		const word = words[at] ?? '';
		const option = options.find((o) => o.name === word);
		if (!option) {
			const names = options.map((o) => o.name).join(', ');
			return bad(`a ${kind} has no option ${shown(word)}`, names && `a ${kind} has ${names}`);
		}
		if (word in values) bad(`\`${word}\` is there twice`, 'remove one of them');
		const value = words[at + 1] ?? bad(`\`${word}\` is followed by its value`);
		values[word] = canonicalOption(option, value);
	}
	for (const o of options) if (o.default === undefined && !(o.name in values)) bad(`a ${kind} needs \`${o.name}\``);
	return values;
}

function canonicalOption(o: LinkOption, text: string): string {
	switch (o.type) {
		case 'number': {
			const n = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
			if (!(n >= (o.min ?? 0) && n <= (o.max ?? 0))) {
				bad(`\`${o.name}\` is a number from ${o.min} to ${o.max}; this is ${shown(text)}`);
			}
			return String(n);
		}
		case 'choice':
			return (
				o.words?.find((w) => w.toLowerCase() === text.toLowerCase()) ??
				bad(`\`${o.name}\` is ${o.words?.join(' or ')}; this is ${shown(text)}`)
			);
		case 'address': {
			if (text === o.default) return text;
			const bytes = parseIP(text);
			return bytes ? formatIP(bytes) : bad(`\`${o.name}\` is an address; this is ${shown(text)}`);
		}
	}
}

/** Options as ip-link(8) takes them, in a fixed order and without what the kernel does anyway. */
export function writeOptions(kind: string, values: Readonly<Record<string, string>>): string {
	return (optionsOf(kind) ?? [])
		.flatMap((o) => {
			const value = values[o.name];
			return value === undefined || value === o.default ? [] : [o.name, value];
		})
		.join(' ');
}

export function canonicalOptions(kind: string, text: string): string {
	return writeOptions(kind, parseOptions(kind, text));
}
