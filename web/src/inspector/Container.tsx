// What runs in a container because the lab started it, by both its numbers: pid_namespaces(7).
import type { Node } from '../model/lab';
import * as shell from '../model/shell';
import { edit } from '../session/actions';
import { useLab } from '../session/stores';
import type { Process } from '../wire/types.gen';
import { EditableValue } from './Editable';

export function Container({ node }: { node: Node }) {
	const lab = useLab((s) => s.lab);
	const state = useLab((s) => s.nodeStates[node.id]?.container);
	const machine = lab.nodes[node.in ?? '']?.name ?? 'its machine';
	const processes = state ? [state.init, ...(state.command ? [state.command] : [])] : [];
	return (
		<section className="inspector-part container-part" aria-label="Processes" data-testid="container">
			<h3>Command</h3>
			<EditableValue
				label={`Command of ${node.name}`}
				value={node.command ?? ''}
				placeholder="none: only its init runs"
				testid="container-command"
				check={() => {}}
				note={(text) =>
					text.trim() === (node.command ?? '') ? undefined : `${node.name} is made anew: what runs in it ends`
				}
				command={(text) => shell.container(lab, node.id, text)}
				apply={(command, outcome) => edit([{ updateNode: { id: node.id, command } }], outcome)}
			/>
			{state?.ended && (
				<p className="small" data-testid="container-ended">
					The command ended: {state.ended}.
				</p>
			)}
			{processes.length > 0 && (
				<table className="live-rows mono processes">
					<thead>
						<tr className="small">
							<th scope="col">pid in {machine}</th>
							<th scope="col">in {node.name}</th>
							<th scope="col">process</th>
						</tr>
					</thead>
					<tbody>
						{processes.map((p: Process) => (
							<tr key={p.inner} data-testid="process">
								<td>{p.pid}</td>
								<td>{p.inner}</td>
								<td>{p.line}</td>
							</tr>
						))}
					</tbody>
				</table>
			)}
		</section>
	);
}
