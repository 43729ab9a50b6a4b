import { afterEach, beforeEach, expect, test } from 'vitest';
import { FakeSocket, fakeBrowser, realBrowser } from '../../test/sockets';
import type { Change } from '../wire/types.gen';
import { openLab } from './actions';
import { useView } from './stores';

let close: () => void;
let seq: number;

beforeEach(() => {
	fakeBrowser();
	seq = 0;
	close = openLab('lab');
	FakeSocket.newest.opens();
	FakeSocket.newest.says({ hello: { protocol: 1, version: '', author: 'ana' } });
	FakeSocket.newest.says({ snapshot: { id: 'lab', seq, lab: {}, status: { state: 'running', since: 0 } } });
});
afterEach(() => {
	close();
	realBrowser();
});

function change(origin: Change['origin'], author: string, sentence: string): void {
	const c: Change = { seq: ++seq, at: '', origin, author, sentence, patch: {}, before: {} };
	FakeSocket.newest.says({ change: c });
}

const shown = () =>
	useView.getState().toasts.map((t) => [t.text, ...(t.actions ?? []).map((a) => a.label)].join(' | '));

test.each<[Change['origin'], string]>([
	['restore', 'Restored revision 3. | Undo'],
	['redo', 'Redid “Restore revision 3” | Undo'],
	['undo', 'Undid “Restore revision 3” | Redo'],
])('the button of what was done by %s goes with the next change of one’s own', (origin, want) => {
	change(origin, 'ana', 'Restore revision 3');
	expect(shown()).toEqual([want]);
	change('canvas', 'ben', 'Add green');
	expect(shown()).toEqual([want]);
	change('terminal', '', 'Add blue'); // nobody's can be taken back by anybody
	expect(shown()).toEqual([]);
});

test('what another has restored is told without a button: undo is of one’s own', () => {
	change('restore', 'ben', 'Restore revision 3');
	expect(shown()).toEqual(['Restored revision 3.']);
});

test('an undone restore leaves one toast, which offers to redo it', () => {
	change('restore', 'ana', 'Restore revision 3');
	change('undo', 'ana', 'Undo: Restore revision 3');
	expect(shown()).toEqual(['Undid “Undo: Restore revision 3” | Redo']);
});
