// What there is to know of each kind of node: one row each. Whoever shows, adds, names or places nodes reads this table.
import type { Kind } from './lab';

export interface KindInfo {
	/** Whether it is in a machine; else it is on the canvas itself. */
	inMachine: boolean;
	/** Whether others can be in it. */
	holds: boolean;
	/** Whether processes run in it, so that it has terminals, routes and settings. */
	runs: boolean;
	/** For people: "a network namespace". */
	title: string;
	many: string;
	/** What makes one in the line of quick add. */
	words: readonly string[];
	/** Of a new one, in this order. */
	names: readonly string[];
}

export const kinds: Readonly<Record<Kind, KindInfo>> = {
	machine: {
		inMachine: false,
		holds: true,
		runs: true,
		title: 'machine',
		many: 'machines',
		words: ['machine', 'host', 'm'],
		names: ['host', 'neighbour'],
	},
	namespace: {
		inMachine: true,
		holds: false,
		runs: true,
		title: 'namespace',
		many: 'namespaces',
		words: ['ns', 'namespace', 'netns'],
		names: ['red', 'blue', 'green', 'orange', 'purple', 'cyan', 'pink', 'brown', 'yellow', 'gray'],
	},
	container: {
		inMachine: true,
		holds: false,
		runs: true,
		title: 'container',
		many: 'containers',
		words: ['container', 'ct', 'docker'],
		names: ['web', 'app', 'db', 'cache', 'worker'],
	},
	lan: {
		inMachine: false,
		holds: false,
		runs: false,
		title: 'LAN',
		many: 'LANs',
		words: ['lan'],
		names: ['office', 'lab'],
	},
	internet: {
		inMachine: false,
		holds: false,
		runs: false,
		title: 'internet',
		many: 'internets',
		words: ['internet', 'inet'],
		names: ['internet'],
	},
};

export const allKinds = Object.keys(kinds) as Kind[];
