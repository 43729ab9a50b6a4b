import { expect, test } from 'vitest';
import { drawn } from '../../test/lab';
import { slotsFor } from './places';
import { sizes } from './sizes';

test.each([
	['on a LAN, close together', ['a:eth0 -- office:port1', 'b:eth0 -- office:port2'], 96],
	['by a cable, with room for the labels of both ends', ['a:eth0 -- b:eth0'], 216],
	['by both', ['a:eth0 -- office:port1', 'b:eth0 -- office:port2', 'a:eth1 -- b:eth1'], 216],
	['from within', ['red:eth0 -- blue:eth0'], 216],
])('machines that are joined %s', (_, cables, want) => {
	const places = slotsFor(drawn('a: red', 'b: blue', 'lan office', ...cables));
	expect((places.b?.x ?? 0) - (places.a?.x ?? 0) - sizes.machine.w).toBe(want);
	expect(places.b?.y).toBe(places.a?.y);
});
