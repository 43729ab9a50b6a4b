// A node's routes: the lab's own are edited in one line, as ip-route(8) takes them; the kernel's are below, folded.
import { useMemo, useState } from 'react';
import type { Node } from '../model/lab';
import { covers, parseRoute, readRoute, withoutCommand } from '../model/route';
import * as shell from '../model/shell';
import { routeNote, suggestRoutes } from '../model/suggest';
import { edit } from '../session/actions';
import { useLab } from '../session/stores';
import type { Route } from '../wire/types.gen';
import { EditableValue } from './Editable';
import { useChanging } from './useChanging';

export function Routes({ node }: { node: Node }) {
	const lab = useLab((s) => s.lab);
	const live = useLab((s) => s.nodeStates[node.id]?.routes);
	const own = node.routes ?? [];
	const others = useMemo(() => notAmong(own, live ?? []), [own, live]);
	const offers = useMemo(() => suggestRoutes(lab, node.id), [lab, node.id]);
	const note = (text: string) => routeNote(lab, node.id, text);
	return (
		<section className="inspector-part" aria-label="Routes" data-testid="routes">
			<h3>Routes</h3>
			<ul className="addresses">
				{own.map((text) => (
					<li key={text}>
						<EditableValue
							label={`Route of ${node.name}`}
							value={text}
							check={parseRoute}
							note={note}
							offers={offers}
							testid="route"
							command={(to) =>
								to === text
									? shell.route(lab, node.id, 'add', to)
									: `${shell.route(lab, node.id, 'del', text)} && ${shell.route(lab, node.id, 'add', to)}`
							}
							apply={(to, outcome) =>
								edit(
									[
										{ deleteRoute: { node: node.id, route: text } },
										{ addRoute: { node: node.id, route: parseRoute(to).text } },
									],
									outcome,
								)
							}
						/>
						<button
							type="button"
							className="plain small"
							aria-label={`Delete the route ${text}`}
							title={shell.route(lab, node.id, 'del', text)}
							onClick={() => edit([{ deleteRoute: { node: node.id, route: text } }])}
						>
							×
						</button>
					</li>
				))}
				<li>
					<EditableValue
						label={`New route of ${node.name}`}
						value=""
						placeholder="add a route"
						testid="add-route"
						check={(text) => text.trim() === '' || parseRoute(withoutCommand(text))}
						note={(text) => note(withoutCommand(text))}
						offers={offers}
						command={(text) => shell.route(lab, node.id, 'add', withoutCommand(text))}
						apply={(text, outcome) =>
							edit([{ addRoute: { node: node.id, route: parseRoute(withoutCommand(text)).text } }], outcome)
						}
					/>
				</li>
			</ul>
			<Live rows={others} />
		</section>
	);
}

/** The kernel's rows that the lab's own routes are not the reason for. */
function notAmong(own: readonly string[], live: readonly Route[]): Route[] {
	const authored = own.flatMap((text) => readRoute(text) ?? []);
	return live.filter((r) => {
		const row = readRoute(r.text);
		return r.kernel || !row || !authored.some((a) => covers(a, row));
	});
}

const unfolded = 3; // rows

function Live({ rows: list }: { rows: readonly Route[] }) {
	const rows = useChanging(list, (r) => r.text);
	const [folded, setFolded] = useState(true);
	const kernel = rows.filter((r) => r.value.kernel);
	const shown = folded && kernel.length > unfolded ? rows.filter((r) => !r.value.kernel) : rows;
	return (
		<>
			<ul className="live-rows mono">
				{shown.map((r) => (
					<li key={r.key} className={`small ${r.className}`}>
						{r.sign}
						{r.value.text}
					</li>
				))}
			</ul>
			{kernel.length > unfolded && (
				<button type="button" className="plain small" onClick={() => setFolded(!folded)}>
					{folded ? `${kernel.length} kernel rows` : 'fold the kernel’s'}
				</button>
			)}
		</>
	);
}
