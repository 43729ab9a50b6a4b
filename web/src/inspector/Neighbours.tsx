// A node's ARP and NDP tables, live. The lab keeps the permanent entries: those are written in one line, as ip-neighbour(8)
// takes them.
import { useMemo } from 'react';
import type { Node } from '../model/lab';
import { hostOf } from '../model/names';
import * as shell from '../model/shell';
import { edit, ping } from '../session/actions';
import { useLab } from '../session/stores';
import type { Neighbour } from '../wire/types.gen';
import { EditableValue } from './Editable';
import { useChanging } from './useChanging';

export function Neighbours({ node }: { node: Node }) {
	const lab = useLab((s) => s.lab);
	const live = useLab((s) => s.nodeStates[node.id]?.neighbours);
	const own = node.neighbours ?? [];
	const list = useMemo(() => live ?? own.map(written), [live, own]);
	const rows = useChanging(list, (n) => `${n.ip} ${n.dev}`);
	const ownText = (n: Neighbour) => own.find((text) => isOf(text, n));
	return (
		<section className="inspector-part" aria-label="Neighbours: ARP and NDP" data-testid="neighbours">
			<h3>
				Neighbours <span className="small">ARP, NDP</span>
			</h3>
			<table className="live-rows mono">
				<thead className="sr-only">
					<tr>
						<th scope="col">Address</th>
						<th scope="col">MAC</th>
						<th scope="col">Device</th>
						<th scope="col">State</th>
					</tr>
				</thead>
				<tbody>
					{rows.map((r) => {
						const text = ownText(r.value);
						return (
							<tr key={r.key} className={r.className} data-testid="neighbour-row">
								<td>
									{r.sign}
									<button
										type="button"
										className="plain"
										title={`ping ${r.value.ip}`}
										onClick={() => ping(node.id, hostOf(r.value.ip), 1)}
									>
										{r.value.ip}
									</button>
									<span className="neighbour-mac">{r.value.mac ?? '–'}</span>
								</td>
								<td className="small">
									{r.value.dev} {r.value.state}
									{text && (
										<button
											type="button"
											className="plain small"
											aria-label={`Delete the neighbour ${text}`}
											title={shell.deleteNeighbour(lab, node.id, text)}
											onClick={() => edit([{ deleteNeighbour: { node: node.id, neighbour: text } }])}
										>
											×
										</button>
									)}
								</td>
							</tr>
						);
					})}
				</tbody>
			</table>
			<EditableValue
				label={`New permanent neighbour of ${node.name}`}
				value=""
				placeholder="add a permanent one"
				testid="add-neighbour"
				check={() => true}
				command={(text) => shell.addNeighbour(lab, node.id, text)}
				apply={(text, outcome) => edit([{ addNeighbour: { node: node.id, neighbour: text } }], outcome)}
			/>
		</section>
	);
}

/** An entry as the lab has it, "192.168.15.9 lladdr 02:00:00:00:00:09 dev eth0", while nothing is in the kernel. */
function written(text: string): Neighbour {
	const [ip = '', , mac = '', , dev = ''] = text.split(' ');
	return { ip, mac, dev, state: 'PERMANENT' };
}

function isOf(text: string, n: Neighbour): boolean {
	const own = written(text);
	return own.ip === n.ip && own.dev === n.dev && n.state === 'PERMANENT';
}
