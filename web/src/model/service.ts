// A port of labengine/service.go: what a node offers without a process of its own. Page and engine are held to each other by
// labengine/testdata/wiring.json.
import { formatIP, parseIP } from './names';
import { nearest, refuse, shown } from './problem';

export interface Service {
	text: string;
	protocol: 'http' | 'echo' | 'dns';
	/** Of echo. */
	network: '' | 'tcp' | 'udp';
	port: number;
	/** Of dns. */
	names: { name: string; address: string }[];
}

const example = 'write it as http 80, echo tcp 7, echo udp 7, or dns 53 web.lan=192.168.15.2';
const protocols = ['http', 'echo', 'dns'] as const;
const maxNames = 100;

const bad = (message: string, hint = example): never =>
	refuse('bad-value', message, hint ? { field: 'service', hint } : { field: 'service' });

/** Reads "http 80", "echo udp 7" or "dns 53 web.lan=192.168.15.2". */
export function parseService(text: string): Service {
	const words = text.split(/\s+/).filter(Boolean);
	const said = (words.shift() ?? bad('a service is said in words')).toLowerCase();
	const protocol = protocols.find((p) => p === said);
	if (!protocol) {
		const near = nearest(said, protocols);
		return bad(`there is no service ${shown(said)}`, near ? `did you mean ${near}?` : example);
	}
	let network: Service['network'] = '';
	if (protocol === 'echo') {
		const over = words.shift();
		network = over === 'tcp' || over === 'udp' ? over : bad('echo is over tcp or udp');
	}
	const number = words.shift() ?? bad('a service has a port');
	const port = /^[+-]?\d+$/.test(number) ? Number(number) : 0;
	if (port < 1 || port > 65535) bad(`a port is a number from 1 to 65535; this is ${shown(number)}`);
	if (protocol !== 'dns' && words[0] !== undefined) {
		bad(`after the port of ${protocol} nothing follows; this is ${shown(words[0])}`);
	}
	if (words.length > maxNames) bad(`a DNS service has at most ${maxNames} names`, '');
	const names = words.map((word) => {
		const sign = word.indexOf('=');
		const ip = sign < 0 ? undefined : parseIP(word.slice(sign + 1));
		if (!ip || isMapped(ip)) return bad(`${shown(word)} gives a name no address`);
		const name = word.slice(0, sign).replace(/\.$/, '').toLowerCase();
		if (!isDomainName(name)) {
			bad(`${shown(name)} is no name that DNS knows: letters, digits and dashes with dots between, at most 253`);
		}
		return { name, address: formatIP(ip) };
	});
	const rest = names.map((n) => `${n.name}=${n.address}`);
	const written = [protocol, ...(network ? [network] : []), String(port), ...rest].join(' ');
	return { text: written, protocol, network, port, names };
}

/** ::ffff:10.0.0.1, which is IPv4 in the dress of IPv6. */
function isMapped(ip: readonly number[]): boolean {
	return ip.length === 16 && ip.slice(0, 12).every((byte, at) => byte === (at < 10 ? 0 : 255));
}

function isDomainName(name: string): boolean {
	return name.length <= 253 && name.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label));
}
