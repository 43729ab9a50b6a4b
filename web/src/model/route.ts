// A port of labengine/route.go: routes as ip-route(8) takes them, with the same words for what is refused. Page and engine
// are held to each other by labengine/testdata/wiring.json.
import type { Interface, Lab } from '../wire/types.gen';
import { interfacesOf } from './lab';
import { checkInterfaceName, checkMTU, formatIP, isInNetworkOf, parseIP } from './names';
import { nearest, problemOf, refuse, shown } from './problem';

export interface Route {
	text: string;
	type: string; // '' is unicast
	to: string; // CIDR notation, or "default"
	via: string;
	dev: string;
	source: string;
	metric: number;
	table: string; // '' is main
	scope: string;
	onlink: boolean;
	mtu: number;
	ipv6: boolean;
}

const routeTypes = ['blackhole', 'unreachable', 'prohibit', 'throw'];
const routeWords = ['via', 'dev', 'src', 'metric', 'table', 'scope', 'mtu', 'onlink'];
const otherWords = ['proto', 'protocol', 'preference', 'priority'];
export const exampleRoute = 'write it as default via 192.168.15.5, or 10.0.0.0/8 via 192.168.15.5 dev eth0 metric 100';

const bad = (message: string, hint = '') =>
	refuse('bad-value', message, hint ? { field: 'route', hint } : { field: 'route' });

/** Reads a route as `ip route add` takes it, or refuses what the kernel would. */
export function parseRoute(text: string): Route {
	const r: Route = {
		text: '',
		type: '',
		to: '',
		via: '',
		dev: '',
		source: '',
		metric: 0,
		table: '',
		scope: '',
		onlink: false,
		mtu: 0,
		ipv6: false,
	};
	const words = text.split(/\s+/).filter(Boolean);
	if (words[0] === 'unicast') words.shift();
	else if (words[0] !== undefined && routeTypes.includes(words[0])) r.type = words.shift() ?? '';
	const [first] = words;
	if (first === undefined) return bad('a route says where it leads to', exampleRoute);
	r.to = canonicalDestination(first);
	r.ipv6 = r.to.includes(':');
	let family = r.to === 'default' ? '' : first; // the first address that tells
	const seen = new Set<string>();
	for (let at = 1; at < words.length; at++) {
		const word = words[at] ?? '';
		if (!routeWords.includes(word) && !otherWords.includes(word)) {
			const near = nearest(word, routeWords);
			bad(`a route has no word ${shown(word)} here`, near ? `did you mean ${near}?` : exampleRoute);
		}
		if (seen.has(word)) bad(`\`${word}\` is there twice`, 'remove one of them');
		seen.add(word);
		if (word === 'onlink') {
			r.onlink = true;
			continue;
		}
		const value = words[++at] ?? bad(`\`${word}\` is followed by its value`);
		switch (word) {
			case 'via':
			case 'src': {
				if (value === 'inet' || value === 'inet6') bad('a gateway of the other family is not drawn yet');
				const bytes = parseIP(value);
				if (!bytes || isMapped(bytes)) return bad(`${shown(value)} is not an address`);
				const address = formatIP(bytes);
				family ||= address;
				r.ipv6 = family.includes(':');
				if (address.includes(':') !== r.ipv6) bad(`${shown(value)} is of another family than the route`);
				if (word === 'via') r.via = address;
				else r.source = address;
				break;
			}
			case 'dev':
				checkInterfaceName(value);
				r.dev = value;
				break;
			case 'metric':
			case 'preference':
			case 'priority': {
				const n = atoi(value);
				if (!(n >= 0 && n <= 2 ** 31 - 1)) bad(`a metric is a number; this is ${shown(value)}`);
				r.metric = n;
				break;
			}
			case 'mtu': {
				const n = atoi(value);
				if (problemOf(() => checkMTU(n))) bad(`an MTU is a number of bytes, 68..65535; this is ${shown(value)}`);
				r.mtu = n;
				break;
			}
			case 'table':
				r.table = canonicalTable(value);
				break;
			case 'scope':
				if (!['link', 'global', 'host'].includes(value)) {
					bad(`a scope is link, global or host; this is ${shown(value)}`);
				}
				r.scope = value;
				break;
			default:
				if (value === 'kernel') bad('routes of proto kernel are made by the kernel itself', 'leave it out');
		}
	}
	if (r.type === '' && r.via === '' && r.dev === '') {
		bad('a route leads through a gateway (`via`) or out of an interface (`dev`)', exampleRoute);
	}
	if (r.type !== '' && (r.via !== '' || r.dev !== '')) {
		bad(`a ${r.type} route leads nowhere`, 'leave `via` and `dev` out');
	}
	const implied = r.via === '' && r.type === '' ? 'link' : 'global';
	if (r.scope === implied || r.ipv6) r.scope = '';
	if (r.ipv6 && r.metric === 1024) r.metric = 0;
	r.text = writeRoute(r);
	return r;
}

const atoi = (text: string) => (/^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN);

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
	let to = r.to.replace(/\/32$/, '');
	if (r.ipv6) {
		to = r.to.replace(/\/128$/, '');
		if (to === '::/0') to = 'default';
		if (to === 'default' && r.via === '' && r.source === '') to = '::/0'; // else nothing says that it is IPv6
	}
	const words = [to];
	if (r.type) words.unshift(r.type);
	if (r.via) words.push('via', r.via);
	if (r.dev) words.push('dev', r.dev);
	if (r.scope) words.push('scope', r.scope);
	if (r.source) words.push('src', r.source);
	if (r.metric) words.push('metric', String(r.metric));
	if (r.table) words.push('table', r.table);
	if (r.onlink) words.push('onlink');
	if (r.mtu) words.push('mtu', String(r.mtu));
	return words.join(' ');
}

/** Whether another route is what this one asks for: what is left open, such as the interface, may be anything. */
export function covers(r: Route, other: Route): boolean {
	const open = (said: string, is: string) => said === '' || said === is;
	const to = (x: Route) => (x.to === '::/0' ? 'default' : x.to);
	return (
		r.type === other.type &&
		to(r) === to(other) &&
		r.ipv6 === other.ipv6 &&
		r.via === other.via &&
		open(r.dev, other.dev) &&
		open(r.source, other.source) &&
		r.metric === other.metric &&
		r.table === other.table &&
		r.scope === other.scope &&
		r.onlink === other.onlink &&
		r.mtu === other.mtu
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
		return r && r.dev === from ? writeRoute({ ...r, dev: to }) : text;
	});
}

/** The interface that a route leads out of: the one that it names, or the one with its gateway's network. */
export function routeLink(r: Route, interfaces: readonly Interface[]): Interface | undefined {
	if (r.dev !== '') return interfaces.find((i) => i.name === r.dev);
	if (r.via === '') return undefined;
	return interfaces.find((i) => i.addresses.some((a) => isInNetworkOf(a, r.via)));
}

/**
 * Takes from the nodes whose interfaces have changed the routes that the kernel drops with a link that goes, is taken down
 * or loses an address. In place: `after` is the caller's own.
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
			if (r?.type !== '' || routeLink(r, has)?.up) return true;
			return !routeLink(r, had)?.up; // it never worked otherwise: whoever wrote it knows why
		});
		if (stays.length < n.routes.length) after.nodes[id] = withRoutes(n, stays);
	}
}

export function withRoutes<N extends { routes?: string[] }>(n: N, routes: string[]): N {
	const { routes: _, ...rest } = n;
	return (routes.length > 0 ? { ...rest, routes } : rest) as N;
}
