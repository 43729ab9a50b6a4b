// What is worked out of a whole lab, once for each lab. A lab is settled when nothing in it will be changed in place any more, as
// those that are drawn are: a large one is asked the same by each of its thousands of boxes, jacks and cables.
import type { Lab } from '../wire/types.gen';

type Answers = Map<(lab: Lab) => unknown, unknown>;

const answers = new WeakMap<Lab, Answers>();

/** Says that a lab stays as it is from now on. */
export function settled(lab: Lab): Lab {
	if (!answers.has(lab)) answers.set(lab, new Map());
	return lab;
}

/** What `work` makes of a lab: worked out once for a settled one, each time for another. `work` is one function for all labs. */
export function ofLab<T>(lab: Lab, work: (lab: Lab) => T): T {
	const known = answers.get(lab);
	if (!known) return work(lab);
	if (!known.has(work)) known.set(work, work(lab));
	return known.get(work) as T;
}

/** The same for what is asked of one thing of a lab: `work` is called once for each. */
export function ofThing<T>(lab: Lab, id: string, work: (lab: Lab, id: string) => T): T {
	const known = answers.get(lab);
	if (!known) return work(lab, id);
	const key = work as unknown as (lab: Lab) => unknown;
	const each = (known.get(key) ?? new Map<string, T>()) as Map<string, T>;
	known.set(key, each);
	if (!each.has(id)) each.set(id, work(lab, id));
	return each.get(id) as T;
}
