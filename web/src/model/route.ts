// A port of labengine/route.go: routes as ip-route(8) takes them, with the same words for what is refused. Page and engine
// are held to each other by labengine/testdata/wiring.json.
import type { Interface, Lab } from '../wire/types.gen';
import { formatDelay, parseDelay } from './impair';
import { interfacesOf } from './lab';
import { checkInterfaceName, formatIP, isInNetworkOf, parseIP } from './names';
import { nearest, problemOf, refuse, shown } from './problem';

export interface Route {
	text: string;
	type: string; // '' is unicast
	to: string; // CIDR notation, or "default"
	from: string;
	tos: string;
	via: string;
	dev: string;
	hops: Hop[]; // of a route with several ways
	source: string;
	metric: number;
	table: string; // '' is main
	protocol: string; // '' is boot
	scope: string;
	realm: string;
	pref: string;
	onlink: boolean;
	metrics: string; // "mtu 1400 advmss lock 1360"
	ipv6: boolean;
}

export interface Hop {
	via: string;
	dev: string;
	weight: number; // 1..256
	realm: string;
	onlink: boolean;
}

const routeTypes = ['blackhole', 'unreachable', 'prohibit', 'throw'];
const routeWords = [
	'via',
	'dev',
	'src',
	'metric',
	'table',
	'scope',
	'proto',
	'tos',
	'realm',
	'from',
	'pref',
	'onlink',
	'nexthop',
];
const otherWords = ['protocol', 'preference', 'priority', 'dsfield', 'realms'];
const hopWords = ['via', 'dev', 'weight', 'onlink', 'realm', 'realms'];
const protocols: Record<string, string> = Object.fromEntries(
	'0 unspec,1 redirect,2 kernel,3 boot,4 static,8 gated,9 ra,10 mrt,11 zebra,12 bird,13 dnrouted,14 xorp,15 ntk,16 dhcp,18 keepalived,42 babel,99 openr,186 bgp,187 isis,188 ospf,189 rip,192 eigrp'
		.split(',')
		.map((p) => p.split(' ')),
);
const scopes: Record<string, string> = { 0: 'global', 200: 'site', 253: 'link', 254: 'host' };
export const exampleRoute = 'write it as default via 192.168.15.5, or 10.0.0.0/8 via 192.168.15.5 dev eth0 metric 100';

const bad = (message: string, hint = '') =>
	refuse('bad-value', message, hint ? { field: 'route', hint } : { field: 'route' });

/** A route where somebody has pasted all of `ip -n red route add default via 192.168.15.5`. */
export function withoutCommand(text: string): string {
	return text.replace(/^\s*ip\s+(?:-[46]\s+|-n(?:etns)?\s+\S+\s+)*r(?:oute)?\s+(?:add|replace)\s+/, '');
}

/** Reads a route as `ip route add` takes it, or refuses what the kernel would. */
export function parseRoute(text: string): Route {
	const words = text.split(/\s+/).filter(Boolean);
	let type = '';
	if (words[0] === 'unicast') words.shift();
	else if (words[0] !== undefined && routeTypes.includes(words[0])) type = words.shift() ?? '';
	const first = words.shift();
	if (first === undefined) return bad('a route says where it leads to', exampleRoute);
	return new Parser(type, first, words).parse();
}

/** Reads a route's words from the left. */
class Parser {
	private readonly r: Route;
	private familyKnown: boolean; // some address has told
	private readonly metrics: Metric[] = [];

	constructor(
		type: string,
		to: string,
		private readonly words: string[],
	) {
		this.r = {
			text: '',
			type,
			to: canonicalDestination(to),
			from: '',
			tos: '',
			via: '',
			dev: '',
			hops: [],
			source: '',
			metric: 0,
			table: '',
			protocol: '',
			scope: '',
			realm: '',
			pref: '',
			onlink: false,
			metrics: '',
			ipv6: false,
		};
		this.r.ipv6 = this.r.to.includes(':');
		this.familyKnown = to !== 'default';
	}

	parse(): Route {
		const seen = new Set<string>();
		for (let word = this.words[0]; word !== undefined; word = this.words[0]) {
			const metric = metricWords.find((m) => m.name === word);
			if (!metric && !routeWords.includes(word) && !otherWords.includes(word)) {
				const near = nearest(word, [...routeWords, ...metricWords.map((m) => m.name)]);
				bad(`a route has no word ${shown(word)} here`, near ? `did you mean ${near}?` : exampleRoute);
			}
			if (word === 'nexthop') {
				this.hops();
				break;
			}
			if (seen.has(word)) bad(`\`${word}\` is there twice`, 'remove one of them');
			seen.add(word);
			this.words.shift();
			if (word === 'onlink') this.r.onlink = true;
			else if (metric) this.metrics.push(parseMetric(metric, this.words));
			else this.set(word, this.value(word));
		}
		return this.finish();
	}

	private value(word: string): string {
		return this.words.shift() ?? bad(`\`${word}\` is followed by its value`);
	}

	private set(word: string, value: string) {
		const r = this.r;
		switch (word) {
			case 'via':
				r.via = this.gateway(value);
				break;
			case 'src':
				r.source = this.address(value, false);
				break;
			case 'from':
				r.from = canonicalDestination(value);
				if (!r.from.includes(':')) {
					bad(
						`only IPv6 routes say which sources they are for; this is from ${shown(value)}`,
						'use a rule of `ip rule` for it',
					);
				}
				if (this.familyKnown && !r.ipv6) bad(`${shown(value)} is of another family than the route`);
				r.ipv6 = this.familyKnown = true;
				break;
			case 'dev':
				checkInterfaceName(value);
				r.dev = value;
				break;
			case 'metric':
			case 'preference':
			case 'priority':
				r.metric = uint(value, maxUint32) ?? bad(`a metric is a number from 0 to 4294967295; this is ${shown(value)}`);
				break;
			case 'table':
				r.table = canonicalTable(value);
				break;
			case 'tos':
			case 'dsfield': {
				const n = /^0x[\da-f]+$/i.test(value) ? Number(value) : uint(value, 255);
				if (n === undefined || n > 255 || n % 4 !== 0) {
					return bad(`a tos is a number from 0 to 0xfc whose last two bits are 0; this is ${shown(value)}`);
				}
				r.tos = n ? `0x${n.toString(16)}` : '';
				break;
			}
			case 'realm':
			case 'realms':
				r.realm = canonicalRealm(value);
				break;
			case 'pref':
				if (!['low', 'medium', 'high'].includes(value)) bad(`a pref is low, medium or high; this is ${shown(value)}`);
				r.pref = value;
				break;
			case 'scope':
				r.scope = numberOrName(value, scopes) ?? bad(`a scope is link, global, site or host; this is ${shown(value)}`);
				break;
			default:
				r.protocol =
					numberOrName(value, protocols) ??
					bad(`a proto is a name such as static, or a number from 0 to 255; this is ${shown(value)}`);
				if (r.protocol === 'kernel' || r.protocol === 'ra') {
					bad(`routes of proto ${r.protocol} are made by the kernel itself`, 'leave it out');
				}
		}
	}

	/** What follows `via`: an address, or a family and an address of it. */
	private gateway(value: string): string {
		const family = value === 'inet' || value === 'inet6' ? value : '';
		const said = family ? this.value('via') : value;
		const address = this.address(said, family !== '');
		const six = address.includes(':');
		if (family && six !== (family === 'inet6')) bad(`${shown(said)} is no address of ${family}`);
		if (this.r.ipv6 && !six) bad(`an IPv6 route has no IPv4 gateway; this is ${shown(said)}`);
		return address;
	}

	/** An address of the route's family, or of either. */
	private address(value: string, either: boolean): string {
		const bytes = parseIP(value);
		if (!bytes || isMapped(bytes)) return bad(`${shown(value)} is not an address`);
		const address = formatIP(bytes);
		const six = address.includes(':');
		if (!this.familyKnown) this.r.ipv6 = six;
		this.familyKnown = true;
		if (six !== this.r.ipv6 && !either) bad(`${shown(value)} is of another family than the route`);
		return address;
	}

	/** The ways that end a route which has several. */
	private hops() {
		const { via, dev, onlink, hops } = this.r;
		if (via || dev || onlink) {
			bad('a route with `nexthop` has no gateway or interface of its own', 'say them behind each `nexthop`');
		}
		for (let word = this.words.shift(); word !== undefined; word = this.words.shift()) {
			if (word !== 'nexthop') {
				bad(
					`behind \`nexthop\` are via, dev, weight, realm and onlink, and nothing but more of it; this is ${shown(word)}`,
				);
			}
			hops.push(this.hop());
		}
	}

	private hop(): Hop {
		const h: Hop = { via: '', dev: '', weight: 1, realm: '', onlink: false };
		const seen = new Set<string>();
		while (hopWords.includes(this.words[0] ?? '')) {
			const word = this.words.shift() ?? '';
			if (seen.has(word)) bad(`\`${word}\` is there twice`, 'remove one of them');
			seen.add(word);
			if (word === 'onlink') {
				h.onlink = true;
				continue;
			}
			const value = this.value(word);
			if (word === 'via') h.via = this.gateway(value);
			else if (word === 'weight') {
				h.weight = uint(value, 256) || bad(`a weight is a number from 1 to 256; this is ${shown(value)}`);
			} else if (word === 'dev') {
				checkInterfaceName(value);
				h.dev = value;
			} else h.realm = canonicalRealm(value);
		}
		if (!h.via && !h.dev) {
			bad(
				'`nexthop` is followed by a gateway (`via`) or an interface (`dev`)',
				'write it as nexthop via 192.168.1.1 dev eth0 weight 2',
			);
		}
		if (!h.via && this.r.ipv6) bad('each `nexthop` of an IPv6 route has a gateway (`via`)');
		return h;
	}

	/** Checks the whole, and writes in one way what can be said in several. */
	private finish(): Route {
		const r = this.r;
		const leads = r.via !== '' || r.dev !== '' || r.hops.length > 0;
		if (r.type === '' && !leads) {
			bad('a route leads through a gateway (`via`) or out of an interface (`dev`)', exampleRoute);
		}
		if (r.type !== '' && leads) bad(`a ${r.type} route leads nowhere`, 'leave `via` and `dev` out');
		const implied = () => (r.via === '' && r.type === '' && r.hops.length === 0 ? 'link' : 'global');
		if (r.ipv6 && (r.tos || r.realm || r.hops.some((h) => h.realm))) bad('IPv6 routes have no tos and no realm');
		if (!r.ipv6 && r.pref) bad('only IPv6 routes have a pref', 'use `metric`');
		if (r.scope === 'host' && r.hops.length > 1) bad('a route of scope host has one way only');
		const [only, second] = r.hops;
		if (only && !second) {
			// the kernel makes no difference
			r.scope ||= implied();
			Object.assign(r, { via: only.via, dev: only.dev, onlink: only.onlink, realm: only.realm || r.realm, hops: [] });
		}
		if (r.scope === implied() || r.ipv6) r.scope = '';
		if (r.ipv6 && r.metric === 1024) r.metric = 0;
		if (r.protocol === 'boot') r.protocol = '';
		if (r.pref === 'medium') r.pref = '';
		r.metrics = writeMetrics(this.metrics);
		r.text = writeRoute(r);
		return r;
	}
}

const maxUint32 = 2 ** 32 - 1;

/** A decimal number from 0 to the most. */
function uint(text: string, most: number): number | undefined {
	const n = /^\d+$/.test(text) ? Number(text) : Number.NaN;
	return n <= most ? n : undefined;
}

/** The name of a number that is said by either; a number without a name stays one. */
function numberOrName(text: string, names: Record<string, string>): string | undefined {
	if (Object.values(names).includes(text)) return text;
	const n = uint(text, 255);
	return n === undefined ? undefined : (names[n] ?? String(n));
}

/** "4" or "5/6"; '' for 0. */
function canonicalRealm(text: string): string {
	const [a = '', b, ...rest] = text.split('/');
	const [from, to] = b === undefined ? [0, uint(a, 65535)] : [uint(a, 65535), uint(b, 65535)];
	if (from === undefined || to === undefined || rest.length > 0) {
		return bad(`a realm is a number from 0 to 65535, or two with a slash between; this is ${shown(text)}`);
	}
	if (from > 0) return `${from}/${to}`;
	return to > 0 ? String(to) : '';
}

/** A port of labengine/routemetric.go: what a route says about how packets are sent along it. */
interface MetricWord {
	name: string;
	max?: number; // of a number
	time?: boolean;
	lock?: boolean; // takes the word lock
}

interface Metric {
	of: MetricWord;
	value: string; // as it is written; '' where it says nothing
	lock: boolean;
}

// In the kernel's order, in which ip-route(8) prints them.
const metricWords: readonly MetricWord[] = [
	{ name: 'mtu', max: 65520, lock: true },
	{ name: 'window', max: maxUint32, lock: true },
	{ name: 'rtt', time: true, lock: true },
	{ name: 'rttvar', time: true, lock: true },
	{ name: 'ssthresh', max: maxUint32, lock: true },
	{ name: 'cwnd', max: maxUint32, lock: true },
	{ name: 'advmss', max: 65495, lock: true },
	{ name: 'reordering', max: maxUint32, lock: true },
	{ name: 'hoplimit', max: 255, lock: true },
	{ name: 'initcwnd', max: maxUint32, lock: true },
	{ name: 'features' },
	{ name: 'rto_min', time: true }, // locked always
	{ name: 'initrwnd', max: maxUint32, lock: true },
	{ name: 'quickack', max: 1 },
	{ name: 'congctl', lock: true },
	{ name: 'fastopen_no_cookie', max: 1 },
];

function parseMetric(of: MetricWord, words: string[]): Metric {
	const alwaysLocked = of.name === 'rto_min';
	let lock = alwaysLocked;
	if (words[0] === 'lock' && (of.lock || alwaysLocked)) {
		lock = true;
		words.shift();
	}
	const text = words.shift() ?? bad(`\`${of.name}\` is followed by its value`);
	if (of.name === 'features') {
		if (text !== 'ecn') bad(`the feature that a route has is ecn; this is ${shown(text)}`);
		return { of, lock, value: text };
	}
	if (of.name === 'congctl') {
		if (!/^[\w.-]{1,15}$/.test(text)) {
			bad(`\`congctl\` is the name of a congestion control, such as cubic; this is ${shown(text)}`);
		}
		return { of, lock, value: text };
	}
	if (of.time) {
		const us = parseDelay(text) ?? 0;
		if (us < 1000 || us % 1000 !== 0) bad(`\`${of.name}\` is a time from 1ms to 100s; this is ${shown(text)}`);
		return { of, lock, value: formatDelay(us) };
	}
	const n = uint(text, of.max ?? 0);
	if (n === undefined || (n === 0 && lock)) {
		return bad(`\`${of.name}\` is a number from 1 to ${of.max}; this is ${shown(text)}`);
	}
	return { of, lock, value: n > 0 ? String(n) : '' };
}

function writeMetrics(list: readonly Metric[]): string {
	return [...list]
		.filter((m) => m.value !== '')
		.sort((a, b) => metricWords.indexOf(a.of) - metricWords.indexOf(b.of))
		.map((m) => `${m.of.name} ${m.lock && m.of.lock ? 'lock ' : ''}${m.value}`)
		.join(' ');
}

/** An IPv4 address in IPv6 clothes. */
function isMapped(bytes: readonly number[]): boolean {
	return bytes.length === 16 && bytes.slice(0, 10).every((b) => b === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
}

/** "default" or CIDR notation, without bits behind the prefix. */
function canonicalDestination(text: string): string {
	if (text === 'default') return text;
	const [host = '', length, ...rest] = text.split('/');
	const bytes = parseIP(host);
	const bits = (bytes?.length ?? 0) * 8;
	const wellFormed = length === undefined || (/^(0|[1-9]\d{0,2})$/.test(length) && Number(length) <= bits);
	if (!bytes || rest.length > 0 || !wellFormed) return bad(`${shown(text)} is no destination`, exampleRoute);
	if (isMapped(bytes)) bad(`${shown(text)} is an IPv4 address in IPv6 clothes`, exampleRoute);
	const count = length === undefined ? bits : Number(length);
	const network = bytes.map((b, at) => b & (0xff00 >> Math.min(8, Math.max(0, count - at * 8))) & 0xff);
	if (network.some((b, at) => b !== bytes[at])) {
		bad(
			`${shown(text)} has bits behind its prefix: the kernel refuses it`,
			`the network is ${formatIP(network)}/${count}`,
		);
	}
	if (count === 0) return bits === 128 ? '::/0' : 'default';
	return `${formatIP(bytes)}/${count}`;
}

function canonicalTable(text: string): string {
	if (text === 'main' || text === '254') return '';
	if (text === 'default') return '253';
	const n = /^\d+$/.test(text) ? Number(text) : 0;
	if (n === 0 || n === 255 || n > 2 ** 32 - 1) {
		bad(`a table is a number from 1 to 4294967295, 255 aside; this is ${shown(text)}`);
	}
	return String(n);
}

/** The route as `ip route add` takes it. */
function writeRoute(r: Route): string {
	const via = (gateway: string) => (!r.ipv6 && gateway.includes(':') ? ['via', 'inet6', gateway] : ['via', gateway]);
	const realm = (realms: string) => [realms.includes('/') ? 'realms' : 'realm', realms];
	const words = [shortDestination(r)];
	if (r.type) words.unshift(r.type);
	if (r.from) words.push('from', r.from.replace(/\/128$/, ''));
	if (r.tos) words.push('tos', r.tos);
	if (r.via) words.push(...via(r.via));
	if (r.dev) words.push('dev', r.dev);
	if (r.protocol) words.push('proto', r.protocol);
	if (r.scope) words.push('scope', r.scope);
	if (r.source) words.push('src', r.source);
	if (r.metric) words.push('metric', String(r.metric));
	if (r.table) words.push('table', r.table);
	if (r.onlink) words.push('onlink');
	if (r.realm) words.push(...realm(r.realm));
	if (r.metrics) words.push(r.metrics);
	if (r.pref) words.push('pref', r.pref);
	for (const h of r.hops) {
		words.push('nexthop');
		if (h.via) words.push(...via(h.via));
		if (h.realm) words.push(...realm(h.realm));
		if (h.dev) words.push('dev', h.dev);
		if (h.weight > 1) words.push('weight', String(h.weight));
		if (h.onlink) words.push('onlink');
	}
	return words.join(' ');
}

/** Where it leads to, said so that ip-route(8) takes it for the right family. */
function shortDestination(r: Route): string {
	const gateway = r.hops[0]?.via ?? r.via;
	if (!r.ipv6) {
		if (r.to === 'default' && gateway.includes(':')) return '0.0.0.0/0';
		return r.to.replace(/\/32$/, '');
	}
	if (r.to !== 'default' && r.to !== '::/0') return r.to.replace(/\/128$/, '');
	return gateway === '' && r.source === '' && r.from === '' ? '::/0' : 'default'; // else nothing says that it is IPv6
}

/** A route's hops, or the one way that it has; none of a route that leads nowhere. */
export function waysOf(r: Route): Hop[] {
	if (r.hops.length > 0) return r.hops;
	if (r.type !== '') return [];
	return [{ via: r.via, dev: r.dev, weight: 1, realm: r.realm, onlink: r.onlink }];
}

/** Whether another route is what this one asks for: what is left open, such as the interface, may be anything. */
export function covers(r: Route, other: Route): boolean {
	const open = (said: string, is: string) => said === '' || said === is;
	const to = (x: Route) => (x.to === '::/0' ? 'default' : x.to);
	const same = ['type', 'ipv6', 'from', 'tos', 'metric', 'table', 'scope', 'pref', 'metrics'] as const;
	const [ways, others] = [waysOf(r), waysOf(other)];
	return (
		to(r) === to(other) &&
		same.every((key) => r[key] === other[key]) &&
		open(r.source, other.source) &&
		open(r.protocol, other.protocol) &&
		(r.type === '' || r.realm === other.realm) &&
		ways.length === others.length &&
		ways.every((h, at) => {
			const k = others[at];
			return (
				k !== undefined &&
				h.via === k.via &&
				open(h.dev, k.dev) &&
				h.weight === k.weight &&
				h.realm === k.realm &&
				h.onlink === k.onlink
			);
		})
	);
}

/** A route that was read before; undefined for text that is none. */
export function readRoute(text: string): Route | undefined {
	let route: Route | undefined;
	problemOf(() => {
		route = parseRoute(text);
	});
	return route;
}

/** Routes after an interface has got another name: the kernel knows it by its index. */
export function renameInRoutes(routes: readonly string[], from: string, to: string): string[] {
	return routes.map((text) => {
		const r = readRoute(text);
		if (!r || !waysOf(r).some((h) => h.dev === from)) return text;
		const follow = <W extends { dev: string }>(way: W): W => (way.dev === from ? { ...way, dev: to } : way);
		return writeRoute({ ...follow(r), hops: r.hops.map(follow) });
	});
}

/** The interface that one way of a route leads out of: the one that it names, or the one with its gateway's network. */
export function hopLink(h: Hop, interfaces: readonly Interface[]): Interface | undefined {
	if (h.dev !== '') return interfaces.find((i) => i.name === h.dev);
	if (h.via === '') return undefined;
	return interfaces.find((i) => i.addresses.some((a) => isInNetworkOf(a, h.via)));
}

/**
 * Takes from the nodes whose interfaces have changed the routes that the kernel drops with a link that goes, is taken down
 * or loses an address. A route with several ways outlives one that is down, and not one whose link goes. In place: `after`
 * is the caller's own.
 */
export function dropRoutes(before: Lab, after: Lab): void {
	const changed = new Set<string>();
	for (const id of new Set([...Object.keys(before.interfaces), ...Object.keys(after.interfaces)])) {
		const [was, is] = [before.interfaces[id], after.interfaces[id]];
		if (was === is) continue;
		if (was) changed.add(was.node);
		if (is) changed.add(is.node);
	}
	for (const id of changed) {
		const n = after.nodes[id];
		if (!n?.routes || n.routes.length === 0) continue;
		const [had, has] = [interfacesOf(before, id), interfacesOf(after, id)];
		const stays = n.routes.filter((text) => {
			const r = readRoute(text);
			if (r?.type !== '') return true;
			const ways = waysOf(r).map((way) => ({ was: hopLink(way, had), is: hopLink(way, has) }));
			if (!ways.some(({ was }) => was?.up)) return true; // it never worked: whoever wrote it knows why
			return ways.some(({ is }) => is?.up) && !ways.some(({ was, is }) => was && !is);
		});
		if (stays.length < n.routes.length) after.nodes[id] = withRoutes(n, stays);
	}
}

export function withRoutes<N extends { routes?: string[] }>(n: N, routes: string[]): N {
	const { routes: _, ...rest } = n;
	return (routes.length > 0 ? { ...rest, routes } : rest) as N;
}
