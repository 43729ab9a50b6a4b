import { Words } from '../app/Words';
import { problemText } from '../model/problem';
import type { FailedOp } from '../model/state';
import { asSentence } from '../model/wording';
import { afterFailure } from '../session/actions';
import { useLab } from '../session/stores';

/** Beside the ghost of what was refused: the kernel's words, and what can be done. */
export function Failure({ failed }: { failed: FailedOp }) {
	const lab = useLab((s) => s.lab);
	return (
		<div className="mark-failed nodrag nopan" data-testid="failure">
			<p>
				<Words text={`${asSentence(lab, problemText(failed.problem))} Nothing was changed.`} />
			</p>
			{afterFailure(failed).map(({ label, run }) => (
				<button key={label} type="button" onClick={run}>
					{label}
				</button>
			))}
		</div>
	);
}
