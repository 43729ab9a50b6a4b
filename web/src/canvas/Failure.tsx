import { Words } from '../app/Words';
import { problemText } from '../model/problem';
import type { FailedOp } from '../model/state';
import { discard, retry } from '../session/actions';

/** Beside the ghost of what was refused: the kernel's words, and what can be done. The message says it aloud. */
export function Failure({ failed }: { failed: FailedOp }) {
	return (
		<div className="mark-failed nodrag nopan">
			<p>
				<Words text={problemText(failed.problem)} />
			</p>
			<button type="button" onClick={() => retry(failed.id)}>
				Retry
			</button>{' '}
			<button type="button" onClick={() => discard(failed.id)}>
				Discard
			</button>
		</div>
	);
}
