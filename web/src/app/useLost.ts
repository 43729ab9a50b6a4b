import { useLayoutEffect, useRef } from 'react';
import { lostText } from '../model/wording';
import { toast } from '../session/actions';
import { useLab } from '../session/stores';

/** Says so where what was typed into a field goes with the field: a change took away what it was about. `text` is undefined while there is nothing to lose. */
export function useLost(label: string, text: string | undefined): void {
	const lab = useLab((s) => s.confirmed);
	const now = { label, text, lab };
	const last = useRef(now);
	useLayoutEffect(() => {
		last.current = now;
	});
	useLayoutEffect(
		() => () => {
			const { label, text, lab } = last.current;
			const { confirmed, changes } = useLab.getState();
			if (text !== undefined && confirmed !== lab)
				toast({ kind: 'error', text: lostText(label, text, changes.at(-1)) });
		},
		[],
	);
}
