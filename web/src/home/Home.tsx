import { useCallback, useEffect, useRef, useState } from 'react';
import { Words } from '../app/Words';
import { aboutExample } from '../model/example';
import { capital } from '../model/problem';
import { overHTTP, sessionEnded, toast } from '../session/actions';
import { api, ServerProblem } from '../transport/http';
import type { Example, LabSummary } from '../wire/types.gen';

const refreshEvery = 5000; // ms, while the page is looked at

export function Home({ open }: { open: (id: string) => void }) {
	const [labs, setLabs] = useState<LabSummary[]>();
	const [examples, setExamples] = useState<Example[]>([]);
	const [problem, setProblem] = useState<string>();
	const [find, setFind] = useState('');
	const file = useRef<HTMLInputElement>(null);
	const [making, setMaking] = useState(false);
	const load = useCallback(async () => {
		try {
			setLabs(await api.labs());
			setProblem(undefined);
		} catch (err) {
			if (!(err instanceof ServerProblem)) throw err;
			const hint = err.problem.hint ? ` ${capital(err.problem.hint)}.` : '';
			setProblem(err.status === 401 ? sessionEnded : `${capital(err.message)}.${hint}`);
		}
	}, []);
	useEffect(() => {
		void load();
		api.examples().then(setExamples, () => {});
		const timer = setInterval(() => document.visibilityState === 'visible' && void load(), refreshEvery);
		return () => clearInterval(timer);
	}, [load]);

	/** Makes a lab, starts it and goes there; a start that fails is shown there. */
	const create = async (what: { name?: string; example?: string; document?: string }) => {
		setMaking(true);
		const made = await overHTTP(() => api.create(what));
		if (made) {
			await overHTTP(() => api.start(made.id));
			open(made.id);
		} else setMaking(false);
	};
	const shown = (labs ?? []).filter((l) => l.name.toLowerCase().includes(find.toLowerCase()));
	return (
		<div className="home">
			<header className="topbar">
				<h1 className="brand">vethlab</h1>
				<span className="small">draw a Linux network; it is real</span>
				<span className="grow" />
			</header>
			{problem && (
				<div className="banner is-error" role="alert" data-testid="banner">
					<Words text={problem} />
				</div>
			)}
			<main className="home-main">
				<div className="home-actions">
					<button
						type="button"
						className="primary"
						data-testid="new-lab"
						disabled={making}
						onClick={() => void create({ name: freeName(labs ?? []) })}
					>
						New lab
					</button>
					<button type="button" onClick={() => file.current?.click()}>
						Open file
					</button>
					<input
						ref={file}
						type="file"
						hidden
						accept=".yaml,.yml,text/yaml"
						aria-label="A lab file"
						data-testid="open-file"
						onChange={async (e) => {
							const chosen = e.target.files?.[0];
							e.target.value = '';
							if (chosen) await create({ document: (await chosen.text()) || '\n' }); // of nothing at all, the server makes a new lab
						}}
					/>
					<span className="grow" />
					<label className="find">
						Find a lab <input type="search" value={find} onChange={(e) => setFind(e.target.value)} />
					</label>
				</div>
				<div className="home-columns">
					<section aria-labelledby="your-labs">
						<h2 id="your-labs">Your labs</h2>
						{labs === undefined && !problem && <Skeleton />}
						{labs?.length === 0 && (
							<p className="none">
								None yet. <b>New lab</b> makes one with a machine to draw in; an example has something in it already.
							</p>
						)}
						{labs && labs.length > 0 && shown.length === 0 && (
							<p className="none">
								None of {labs.length} labs has “{find}” in its name.
							</p>
						)}
						<ul className="rows">
							{shown.map((l) => (
								<LabRow key={l.id} lab={l} open={open} changed={load} />
							))}
						</ul>
					</section>
					<section aria-labelledby="examples">
						<h2 id="examples">Examples</h2>
						<ul className="rows">
							{examples.map((x) => (
								<li key={x.name} className="example">
									<button
										type="button"
										className="row-name plain"
										data-testid={`example-${x.name}`}
										onClick={() => void create({ example: x.name })}
									>
										{x.title}
									</button>
									<span className="second">
										<Words text={aboutExample(x.document)} />
									</span>
								</li>
							))}
						</ul>
					</section>
				</div>
			</main>
		</div>
	);
}

function LabRow({ lab, open, changed }: { lab: LabSummary; open: (id: string) => void; changed: () => Promise<void> }) {
	const [asking, setAsking] = useState(false);
	const running = lab.state !== 'stopped' && lab.state !== 'dead';
	const remove = async () => {
		await overHTTP(() => api.remove(lab.id));
		await changed();
	};
	/** A stopped lab can be brought back from its document; what runs in a running one cannot. */
	const removeStopped = async () => {
		const document = await overHTTP(() => api.document(lab.id));
		if (document === undefined) return;
		await remove();
		toast({
			kind: 'info',
			text: `Deleted \`${lab.name}\`.`,
			actions: [{ label: 'Bring it back', run: () => void overHTTP(() => api.create({ document })).then(changed) }],
		});
	};
	const marks = { running: '●', starting: '◐', stopping: '◐', stopped: '○', dead: '✕' } as const;
	return (
		<li data-testid={`lab-${lab.name}`}>
			<a
				className="row-name"
				href={`/labs/${encodeURIComponent(lab.id)}`}
				onClick={(e) => {
					if (e.ctrlKey || e.metaKey || e.shiftKey) return;
					e.preventDefault();
					open(lab.id);
				}}
			>
				{lab.name}
			</a>
			<span className={`state is-${lab.state}`}>
				{marks[lab.state]} {lab.state === 'dead' ? 'ended' : lab.state}
			</span>
			<span className="small age">{age(lab.updated)}</span>
			{asking ? (
				<span className="asking" role="alert">
					Its processes and files end.{' '}
					<button type="button" onClick={() => void remove()}>
						Delete
					</button>{' '}
					<button type="button" onClick={() => setAsking(false)}>
						Keep
					</button>
				</span>
			) : (
				<button
					type="button"
					className="plain row-delete"
					aria-label={`Delete ${lab.name}`}
					onClick={() => (running ? setAsking(true) : void removeStopped())}
				>
					Delete
				</button>
			)}
		</li>
	);
}

/** Drawn only when loading takes 200 ms or more (CSS). */
function Skeleton() {
	return (
		<div className="skeleton" aria-hidden="true">
			<i />
			<i />
			<i />
		</div>
	);
}

function freeName(labs: LabSummary[]): string {
	const used = new Set(labs.map((l) => l.name));
	for (let n = 1; ; n++) if (!used.has(`lab-${n}`)) return `lab-${n}`;
}

function age(updated: number): string {
	const seconds = Math.max(0, (Date.now() - updated) / 1000);
	if (seconds < 60) return 'just now';
	if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
	if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
	return `${Math.floor(seconds / 86400)} d ago`;
}
