import { useEffect, useState } from 'react';
import { capital, problemText } from '../model/problem';
import { asSentence } from '../model/wording';
import { sessionEnded, startLab } from '../session/actions';
import { useLab, useLink } from '../session/stores';
import { Words } from './Words';

/** The bar for what holds for the whole page: the connection, the lab's end. */
export function Banner() {
	const status = useLink((l) => l.status);
	const waiting = useLink((l) => l.waiting);
	const loaded = useLab((s) => s.loaded);
	const state = useLab((s) => s.status.state);
	const problem = useLab((s) => s.status.problem);
	const told = useLab((s) => s.status.problem && asSentence(s.lab, problemText(s.status.problem)));
	const late = useLate(status.kind === 'open' ? undefined : status.since);
	if (status.kind === 'closed' && status.reason === 'session') return <Bar kind="error" text={sessionEnded} />;
	if (status.kind === 'closed' && status.reason === 'gone')
		return <Bar kind="error" text="There is no such lab any more." />;
	if (status.kind === 'closed' && status.reason === 'protocol') return <Outdated />;
	if (late && status.kind !== 'open') {
		const changes = waiting === 0 ? '' : waiting === 1 ? ' 1 change waits.' : ` ${waiting} changes wait.`;
		return <Bar kind="warn" text={loaded ? `Reconnecting. Your lab goes on.${changes}` : 'Connecting to the lab.'} />;
	}
	if (state === 'dead') {
		const why = problem ? ` (${problem.message})` : '';
		const text =
			problem?.code === 'not-running' ? problem.message : `the lab's process ended${why}. The drawing is safe`;
		return (
			<Bar kind="error" text={`${capital(text)}.`}>
				<button type="button" onClick={() => void startLab()}>
					Start again
				</button>
			</Bar>
		);
	}
	return told ? <Bar kind="error" text={told} /> : null;
}

function Bar({ kind, text, children }: { kind: 'warn' | 'error'; text: string; children?: React.ReactNode }) {
	return (
		<div className={`banner is-${kind}`} role="status" data-testid="banner">
			<Words text={text} /> {children}
		</div>
	);
}

/** True from 1 s on: short breaks are nobody's business. */
function useLate(since: number | undefined): boolean {
	const [late, setLate] = useState(false);
	useEffect(() => {
		setLate(false);
		if (since === undefined) return;
		const timer = setTimeout(() => setLate(true), Math.max(0, since + 1000 - performance.now()));
		return () => clearTimeout(timer);
	}, [since]);
	return late;
}

const reloadedAs = 'vethlab.reloaded';

/** The server speaks another version: the page reloads once, and then says so. */
function Outdated() {
	const [reloaded] = useState(() => sessionStorage.getItem(reloadedAs) === location.pathname);
	useEffect(() => {
		if (reloaded) return;
		sessionStorage.setItem(reloadedAs, location.pathname);
		location.reload();
	}, [reloaded]);
	return reloaded ? (
		<Bar
			kind="error"
			text="This page and the server speak different versions, also after a reload. Empty the browser's cache, or restart `vethlab serve`."
		/>
	) : null;
}
