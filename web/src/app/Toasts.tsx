import { X } from 'lucide-react';
import { dismiss } from '../session/actions';
import { useView } from '../session/stores';
import { foldedDock, statusStrip } from './heights';
import { useLabID } from './route';
import { Words } from './Words';

export function Toasts() {
	const toasts = useView((v) => v.toasts);
	const dock = useView((v) => (v.dock.open ? v.dock.height : foldedDock));
	const inLab = useLabID() !== undefined;
	if (toasts.length === 0) return null;
	return (
		// Above the dock: somebody may be typing there.
		<section className="toasts" aria-label="Messages" style={{ bottom: inLab ? dock + statusStrip + 12 : 16 }}>
			{toasts.map((t) => (
				<div key={t.id} id={`toast-${t.id}`} className={`toast is-${t.kind}`} data-testid="toast">
					<p>
						<Words text={t.text} />
					</p>
					{t.actions?.map((a) => (
						<button
							key={a.label}
							type="button"
							onClick={() => {
								dismiss(t.id);
								a.run();
							}}
						>
							{a.label}
						</button>
					))}
					<button type="button" className="plain" aria-label="Dismiss" onClick={() => dismiss(t.id)}>
						<X size={14} />
					</button>
				</div>
			))}
		</section>
	);
}
