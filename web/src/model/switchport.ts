// A port of labengine/switchport.go: what a port of an Open vSwitch bridge does with VLANs, ovs-vswitchd.conf.db(5). Page and
// engine are held to each other by labengine/testdata/wiring.json.
import { refuse, shown } from './problem';

export const switchPortWords = ['tag', 'trunks', 'vlan_mode'] as const;
type Word = (typeof switchPortWords)[number];

/** The columns that have a value, as ovs-vsctl(8) takes them. */
export type SwitchPort = Partial<Record<Word, string>>;

export const vlanModes = ['access', 'trunk', 'native-tagged', 'native-untagged', 'dot1q-tunnel'] as const;

const maxVLAN = 4094;

const isWord = (word: string): word is Word => (switchPortWords as readonly string[]).includes(word);

function vlan(text: string): number | undefined {
	const n = /^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN;
	return n >= 0 && n <= maxVLAN ? n : undefined;
}

/** Reads "tag 10", "trunks 10,20", "vlan_mode native-untagged tag 10". */
export function parseSwitchPort(text: string): SwitchPort {
	const bad = (message: string, hint?: string) =>
		refuse('bad-value', message, { field: 'port', ...(hint ? { hint } : {}) });
	const port: SwitchPort = {};
	const words = text.split(/\s+/).filter(Boolean);
	for (let at = 0; at < words.length; at += 2) {
		const word = words[at] ?? '';
		const value = words[at + 1];
		if (!isWord(word)) {
			return bad(`a port of an OVS bridge has no ${shown(word)}`, 'write it as `tag 10` or `trunks 10,20`');
		}
		if (port[word] !== undefined) bad(`\`${word}\` is there twice`, 'remove one of them');
		if (value === undefined) return bad(`\`${word}\` is followed by its value`);
		port[word] = read[word](value, bad);
	}
	return port;
}

type Bad = (message: string, hint?: string) => never;

const read: Record<Word, (value: string, bad: Bad) => string> = {
	tag: (value, bad) =>
		String(vlan(value) ?? bad(`\`tag\` is a VLAN's number from 0 to ${maxVLAN}; this is ${shown(value)}`)),
	trunks: (value, bad) => {
		const said = `\`trunks\` are VLANs' numbers from 0 to ${maxVLAN} with commas between; this is ${shown(value)}`;
		const list = value.split(',').map((part) => vlan(part) ?? bad(said, 'write it as trunks 10,20'));
		return [...new Set(list)].sort((a, b) => a - b).join(',');
	},
	vlan_mode: (value, bad) =>
		(vlanModes as readonly string[]).includes(value)
			? value
			: bad(`\`vlan_mode\` is ${vlanModes.join(' or ')}; this is ${shown(value)}`),
};

export function writeSwitchPort(port: SwitchPort): string {
	return switchPortWords.flatMap((word) => (port[word] ? [`${word} ${port[word]}`] : [])).join(' ');
}

export function canonicalSwitchPort(text: string): string {
	return writeSwitchPort(parseSwitchPort(text));
}
