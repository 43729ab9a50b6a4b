import { useEffect } from 'react';
import { Home } from '../home/Home';
import { useView } from '../session/stores';
import { LabPage } from './LabPage';
import { go, useLabID } from './route';
import { Toasts } from './Toasts';

export function App() {
	const lab = useLabID();
	const theme = useView((v) => v.theme);
	useEffect(() => {
		if (theme === 'system') delete document.documentElement.dataset.theme;
		else document.documentElement.dataset.theme = theme;
	}, [theme]);
	return (
		<>
			{lab ? (
				<LabPage key={lab} id={lab} home={() => go('/')} />
			) : (
				<Home open={(id) => go(`/labs/${encodeURIComponent(id)}`)} />
			)}
			<Toasts />
			<LiveRegion />
		</>
	);
}

function LiveRegion() {
	const text = useView((v) => v.announcement);
	return (
		<div className="sr-only" role="status" aria-live="polite">
			{text}
		</div>
	);
}
