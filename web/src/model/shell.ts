// The command that an edit stands for, shown before Enter. The engine makes the commands that it runs itself
// (labengine/plan); these are its words for the few edits that the inspector makes.
import type { Interface, Lab } from '../wire/types.gen';
import { canonicalImpairment, needsNetem, parseImpairment } from './impair';
import { problemOf } from './problem';
import { readRoute } from './route';
import { parseService, type Service } from './service';
import { freshSysctl } from './sysctl';
import { bridgeOf, canonicalVLANs, changeVLANs, vlansIn } from './vlans';

/** `ip -n red`, or `ip` in a machine's own namespace. */
export function ip(lab: Lab, node: string): string {
	return iproute(lab, node, 'ip');
}

function iproute(lab: Lab, node: string, command: string): string {
	const n = lab.nodes[node];
	if (n?.kind === 'container') return `nsenter -t … -n ${command}`;
	return n?.in ? `${command} -n ${quote(n.name)}` : command;
}

export function addAddress(lab: Lab, i: Interface, address: string): string {
	return `${ip(lab, i.node)} addr add ${address || '…'} dev ${quote(i.name)}`;
}

export function deleteAddress(lab: Lab, i: Interface, address: string): string {
	return `${ip(lab, i.node)} addr del ${address} dev ${quote(i.name)}`;
}

export function setUp(lab: Lab, i: Interface, up: boolean): string {
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} ${up ? 'up' : 'down'}`;
}

export function setMTU(lab: Lab, i: Interface, mtu: string): string {
	if (i.kind === 'ovs') return `ovs-vsctl set interface ${quote(i.name)} mtu_request=${mtu || '…'}`;
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} mtu ${mtu || '…'}`;
}

export function setMAC(lab: Lab, i: Interface, mac: string): string {
	if (i.kind === 'ovs') return `ovs-vsctl set bridge ${quote(i.name)} 'other_config:hwaddr="${mac || '…'}"'`;
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} address ${mac || '…'}`;
}

export function rename(lab: Lab, i: Interface, name: string): string {
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} name ${name ? quote(name) : '…'}`;
}

/** As bash wants it: bare where that is the same. */
export function quote(word: string): string {
	return /^[A-Za-z0-9_./:@%+=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What puts a bridge's port, or the bridge itself, into other VLANs. */
export function setVLANs(lab: Lab, i: Interface, text: string): string {
	const bridge = bridgeOf(lab, i);
	let lines: string[] = [];
	problemOf(() => {
		if (!bridge) return;
		const { add, remove } = changeVLANs(vlansIn(bridge, i.vlans ?? ''), vlansIn(bridge, canonicalVLANs(text)));
		const line = (verb: string, v: string) =>
			`${iproute(lab, i.node, 'bridge')} vlan ${verb} dev ${quote(i.name)} ${v}${i.kind === 'bridge' ? ' self' : ''}`;
		lines = [...add.map((v) => line('add', v)), ...remove.map((v) => line('del', v))];
	});
	return lines.join(' && ');
}

export function setAlias(lab: Lab, i: Interface, alias: string): string {
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} alias ${quote(alias)}`;
}

/** What runs a program in a node's namespace from its machine's shell. */
function run(lab: Lab, node: string, line: string): string {
	const n = lab.nodes[node];
	if (n?.kind === 'container') return `nsenter -t … -n ${line}`;
	return n?.kind === 'namespace' ? `ip netns exec ${quote(n.name)} ${line}` : line;
}

export function route(lab: Lab, node: string, verb: 'add' | 'del', text: string): string {
	const ipv6 = readRoute(text)?.ipv6 ? ' -6' : '';
	return `${ip(lab, node)}${ipv6} route ${verb} ${text || '…'}`;
}

export function addNeighbour(lab: Lab, node: string, text: string): string {
	return `${ip(lab, node)} neigh replace ${text || '…'}`;
}

export function deleteNeighbour(lab: Lab, node: string, text: string): string {
	const [address, , , , dev] = text.split(' ');
	return `${ip(lab, node)} neigh del ${address} dev ${dev}`;
}

export function setSysctl(lab: Lab, node: string, name: string, value: string): string {
	return run(lab, node, `sysctl -w ${quote(`${name}=${value || freshSysctl(name) || '…'}`)}`);
}

/** A small program that does nearly the same as a service of the lab. */
export function service(lab: Lab, node: string, verb: 'add' | 'del', text: string): string {
	let s: Service | undefined;
	const problem = problemOf(() => {
		s = parseService(text);
	});
	if (problem || !s) return run(lab, node, '…');
	const { protocol, network, port, names } = s;
	if (verb === 'del') {
		const listeners = run(lab, node, `ss -Hlnp --${protocol === 'dns' ? 'udp' : network || 'tcp'} sport = :${port}`);
		return `kill $(${listeners} | sed 's/.*pid=\\([0-9]*\\).*/\\1/')`;
	}
	if (protocol === 'http') {
		const name = quote(lab.nodes[node]?.name ?? '…');
		const folder = quote(`/run/www/${lab.nodes[node]?.name ?? '…'}`);
		const httpd = run(lab, node, `busybox httpd -p ${port} -h ${folder}`);
		return `mkdir -p ${folder} && echo ${name} > ${folder}/index.html && ${httpd}`;
	}
	if (protocol === 'dns') {
		const records = names.map((n) => ` --host-record=${n.name},${n.address}`).join('');
		return run(lab, node, `dnsmasq -C /dev/null -x '' -u '' -g '' -p ${port} --no-resolv --no-hosts${records}`);
	}
	if (network === 'tcp') return run(lab, node, `busybox nc -ll -p ${port} -e cat &`);
	const echo = `$s = IO::Socket::INET->new(Proto => "udp", LocalPort => ${port}); $s->send($d) while defined $s->recv($d, 65535)`;
	return run(lab, node, `perl -MIO::Socket::INET -e ${quote(echo)} &`);
}

/** Makes a container anew, with another command. */
export function container(lab: Lab, node: string, command: string): string {
	const name = lab.nodes[node]?.name ?? '…';
	const started = command.trim() ? `(${command.trim()}) > /run/containers/${name}.log 2>&1 & ` : '';
	const inside = `hostname ${name}; ${started}exec sleep infinity`;
	return `kill -9 … && unshare --net --pid --mount --uts --ipc --fork --mount-proc sh -c ${quote(inside)} &`;
}

/** Changes of firewall rules, in one line. */
export function iptables(lab: Lab, node: string, ipv6: boolean, commands: readonly string[]): string {
	return commands
		.map((text) => run(lab, node, `${ipv6 ? 'ip6tables' : 'iptables'} ${text.trim() || '…'}`))
		.join(' && ');
}

export function setMaster(lab: Lab, i: Interface, master: string): string {
	const [from, into] = [lab.interfaces[i.master ?? ''], lab.interfaces[master]];
	if (into?.kind === 'ovs') return `ovs-vsctl add-port ${quote(into.name)} ${quote(i.name)}`;
	if (!master && from?.kind === 'ovs') return `ovs-vsctl del-port ${quote(from.name)} ${quote(i.name)}`;
	const to = master ? `master ${quote(lab.interfaces[master]?.name ?? '…')}` : 'nomaster';
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} ${to}`;
}

/** What a port of an OVS bridge is to do with VLANs; a word without a value is cleared. */
export function setPort(i: Interface, word: string, value: string): string {
	const port = quote(i.name);
	return value ? `ovs-vsctl set port ${port} ${word}=${quote(value)}` : `ovs-vsctl clear port ${port} ${word}`;
}

export function setOptions(lab: Lab, i: Interface, options: string): string {
	if (i.kind === 'ovs') return `ovs-vsctl set bridge ${quote(i.name)} ${options.replace(' ', '=')}`;
	return `${ip(lab, i.node)} link set dev ${quote(i.name)} type ${i.kind} ${options || '…'}`;
}

export function impair(lab: Lab, i: Interface, text: string): string {
	const n = lab.nodes[i.node];
	const tc = n?.kind === 'namespace' ? `tc -n ${quote(n.name)}` : 'tc';
	const dev = quote(i.name);
	if (problemOf(() => parseImpairment(text))) return `${tc} qdisc replace dev ${dev} root …`;
	const written = canonicalImpairment(text);
	if (written === '') return `${tc} qdisc del dev ${dev} root`;
	if (written === 'cut') return `${tc} qdisc replace dev ${dev} root blackhole`;
	if (needsNetem(written)) return `${tc} qdisc replace dev ${dev} root netem ${written}`;
	const burst = Math.min(Math.max(Math.floor(parseImpairment(written).rate / 800), 3200), 2 ** 30); // 10 ms of it
	return `${tc} qdisc replace dev ${dev} root tbf ${written} burst ${burst} latency 300ms`;
}
