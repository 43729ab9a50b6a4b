// A port of labengine/sysctl.go: the settings of a network namespace that a lab follows.
import { refuse, shown } from './problem';

export interface Setting {
	name: string;
	fresh: string;
	/** What it does, in a few words. */
	about: string;
}

/** With what a fresh namespace has. */
export const settings: readonly Setting[] = [
	{ name: 'net.ipv4.ip_forward', fresh: '0', about: 'router: passes IPv4 on' },
	{ name: 'net.ipv6.conf.all.forwarding', fresh: '0', about: 'router: passes IPv6 on' },
	{ name: 'net.ipv4.conf.all.rp_filter', fresh: '0', about: 'drop what came in the wrong way' },
	{ name: 'net.ipv4.conf.default.rp_filter', fresh: '0', about: 'the same, of new interfaces' },
	{ name: 'net.ipv4.conf.all.proxy_arp', fresh: '0', about: 'answer ARP for others' },
	{ name: 'net.ipv6.conf.all.disable_ipv6', fresh: '0', about: 'no IPv6' },
	{ name: 'net.ipv6.conf.default.disable_ipv6', fresh: '0', about: 'no IPv6 on new interfaces' },
	{ name: 'net.bridge.bridge-nf-call-iptables', fresh: '0', about: 'bridged IPv4 passes iptables' },
	{ name: 'net.bridge.bridge-nf-call-ip6tables', fresh: '0', about: 'bridged IPv6 passes ip6tables' },
	{ name: 'net.bridge.bridge-nf-call-arptables', fresh: '0', about: 'bridged ARP passes arptables' },
	{ name: 'net.ipv4.icmp_echo_ignore_all', fresh: '0', about: 'answer no ping' },
	{ name: 'net.ipv4.conf.all.arp_ignore', fresh: '0', about: 'which ARP requests are answered' },
	{ name: 'net.ipv4.conf.all.arp_announce', fresh: '0', about: 'which address ARP requests name' },
	{ name: 'net.ipv4.conf.all.arp_filter', fresh: '0', about: 'answer ARP only where routes lead' },
	{ name: 'net.ipv4.conf.all.arp_accept', fresh: '0', about: 'learn from unasked ARP' },
	{ name: 'net.ipv4.conf.all.accept_local', fresh: '0', about: 'accept its own address from outside' },
	{ name: 'net.ipv4.conf.all.route_localnet', fresh: '0', about: 'route 127.0.0.0/8' },
	{ name: 'net.ipv4.conf.all.log_martians', fresh: '0', about: 'log impossible addresses' },
	{ name: 'net.ipv6.conf.all.accept_ra', fresh: '1', about: 'accept router advertisements' },
];

export function freshSysctl(name: string): string | undefined {
	return settings.find((s) => s.name === name)?.fresh;
}

/** Reads "net.ipv4.ip_forward=1" as sysctl(8) takes it. */
export function parseSysctl(text: string): { name: string; value: string } {
	const bad = (message: string, hint = '') =>
		refuse('bad-value', message, hint ? { field: 'sysctl', hint } : { field: 'sysctl' });
	const sign = text.indexOf('=');
	const name = (sign < 0 ? text : text.slice(0, sign)).trim();
	const value =
		sign < 0
			? ''
			: text
					.slice(sign + 1)
					.split(/\s+/)
					.filter(Boolean)
					.join(' ');
	if (value === '') bad(`${shown(text)} gives no value`, 'write it as net.ipv4.ip_forward=1');
	if (!/^net[./]/.test(name)) bad(`${shown(name)} is not a setting of a network namespace: those begin with net.`);
	if (name.includes('..') || [...name].some((c) => c <= ' ' || c === '\u007f' || c === "'")) {
		bad(`${shown(name)} is no name of a setting`);
	}
	if (name.length > 120 || value.length > 120 || [...value].some((c) => c < ' ' || c === '\u007f' || c === "'")) {
		bad(`${shown(value)} is no value of a setting`);
	}
	return { name, value };
}

/** The list with a setting, sorted; without it where the value is what a fresh namespace has. */
export function withSysctl(list: readonly string[], name: string, value: string): string[] {
	const others = list.filter((s) => !s.startsWith(`${name}=`));
	return value === freshSysctl(name) ? others : [...others, `${name}=${value}`].sort();
}

/** What a node's setting is: as the document says, else as in a fresh namespace. */
export function settingOf(sysctls: readonly string[] | undefined, name: string): string {
	const said = sysctls?.find((s) => s.startsWith(`${name}=`));
	return said ? said.slice(name.length + 1) : (freshSysctl(name) ?? '');
}
