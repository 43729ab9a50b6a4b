// What edits make of a node's tables: routes, neighbours, settings, services. A port of labengine/apply_tables.go.
import type {
	AddNeighbour,
	AddRoute,
	AddService,
	DeleteNeighbour,
	DeleteRoute,
	DeleteService,
	Lab,
	SetSysctl,
} from '../wire/types.gen';
import { labelOf } from './lab';
import { about, refuse, shown } from './problem';
import { covers, parseRoute, readRoute, withRoutes } from './route';
import { freshSysctl, parseSysctl, withSysctl } from './sysctl';

export function addRoute(lab: Lab, e: AddRoute): void {
	const n = lab.nodes[e.node] ?? goneNode(e.node);
	const route = about(e.node, () => parseRoute(e.route));
	for (const text of n.routes ?? []) {
		const other = readRoute(text);
		if (!other || !(covers(route, other) || covers(other, route))) continue;
		refuse('exists', `${labelOf(lab, n.id)} has the route \`${text}\` already`, { on: n.id, field: 'route' });
	}
	lab.nodes[n.id] = withRoutes(n, [...(n.routes ?? []), route.text]);
}

export function deleteRoute(lab: Lab, e: DeleteRoute): void {
	const n = lab.nodes[e.node] ?? goneNode(e.node);
	const at = (n.routes ?? []).indexOf(e.route);
	if (at < 0) {
		refuse('gone', `${labelOf(lab, n.id)} has no route \`${e.route}\``, { on: n.id, field: 'route' });
	}
	lab.nodes[n.id] = withRoutes(n, (n.routes ?? []).toSpliced(at, 1));
}

export function setSysctl(lab: Lab, e: SetSysctl): void {
	const n = lab.nodes[e.node] ?? goneNode(e.node);
	if (n.kind === 'internet') {
		refuse('bad-request', `the routers of ${n.name} are set up as they have to be`, { on: n.id, field: 'sysctl' });
	}
	const wanted =
		e.value ||
		(freshSysctl(e.name) ??
			refuse('bad-value', `what a fresh namespace has for ${shown(e.name)} is not known here`, {
				on: n.id,
				field: 'sysctl',
				hint: 'set it to a value',
			}));
	const { name, value } = about(n.id, () => parseSysctl(`${e.name}=${wanted}`));
	const { sysctls: _, ...rest } = n;
	const sysctls = withSysctl(n.sysctls ?? [], name, value);
	lab.nodes[n.id] = sysctls.length > 0 ? { ...rest, sysctls } : rest;
}

/** What a service's words mean is left to the engine; the page shows them as they are. */
export function addService(lab: Lab, e: AddService): void {
	const n = lab.nodes[e.node] ?? goneNode(e.node);
	lab.nodes[n.id] = { ...n, services: [...(n.services ?? []), e.service] };
}

export function deleteService(lab: Lab, e: DeleteService): void {
	const n = lab.nodes[e.node] ?? goneNode(e.node);
	if (!n.services?.includes(e.service)) {
		const on = { on: n.id, field: 'service' };
		refuse('gone', `${labelOf(lab, n.id)} has no service \`${e.service}\``, on);
	}
	lab.nodes[n.id] = { ...n, services: (n.services ?? []).filter((s) => s !== e.service) };
}

/** What an entry's words mean is left to the engine; the page shows them as they are. */
export function addNeighbour(lab: Lab, e: AddNeighbour): void {
	const n = lab.nodes[e.node] ?? goneNode(e.node);
	lab.nodes[n.id] = { ...n, neighbours: [...(n.neighbours ?? []), e.neighbour] };
}

export function deleteNeighbour(lab: Lab, e: DeleteNeighbour): void {
	const n = lab.nodes[e.node] ?? goneNode(e.node);
	if (!n.neighbours?.includes(e.neighbour)) {
		refuse('gone', `${labelOf(lab, n.id)} has no entry \`${e.neighbour}\``, { on: n.id, field: 'neighbour' });
	}
	const { neighbours = [], ...rest } = n;
	const left = neighbours.filter((text) => text !== e.neighbour);
	lab.nodes[n.id] = left.length > 0 ? { ...rest, neighbours: left } : rest;
}

export function goneNode(id: string): never {
	refuse('no-such-node', 'this node is gone', { on: id });
}
