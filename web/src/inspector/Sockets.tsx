// The sockets that wait for others, as `ss -lntup` shows them, and the services that the lab itself answers for.
import { endText } from '../model/flow';
import { labelOf, type Node } from '../model/lab';
import { parseService } from '../model/service';
import * as shell from '../model/shell';
import { edit } from '../session/actions';
import { useLab } from '../session/stores';
import type { Socket } from '../wire/types.gen';
import { EditableValue } from './Editable';
import { useChanging } from './useChanging';

const none: Socket[] = [];

export function Sockets({ node }: { node: string }) {
	const list = useLab((s) => s.nodeStates[node]?.sockets) ?? none;
	const rows = useChanging(list, (s) => `${s.protocol} ${s.address} ${s.port} ${s.dev ?? ''} ${s.process ?? ''}`);
	return (
		<section className="inspector-part" aria-label="Listening sockets" data-testid="sockets">
			<h3>
				Listening <span className="small">ss -lntup</span>
			</h3>
			<table className="live-rows mono">
				<thead className="sr-only">
					<tr>
						<th scope="col">Protocol</th>
						<th scope="col">Address and port</th>
						<th scope="col">Process</th>
					</tr>
				</thead>
				<tbody>
					{rows.map((r) => (
						<tr key={r.key} className={r.className} data-testid="socket">
							<td className="small">
								{r.sign}
								{r.value.protocol}
							</td>
							<td>
								{endText(r.value.address, r.value.port)}
								{r.value.dev && <span className="small"> on {r.value.dev}</span>}
							</td>
							<td className="small">{r.value.process}</td>
						</tr>
					))}
				</tbody>
			</table>
			{rows.length === 0 && <p className="small mono">none</p>}
		</section>
	);
}

const offers = ['http 80', 'echo tcp 7', 'echo udp 7', 'dns 53 web.lan=192.168.15.2'];

/** What the node offers without a process of its own. */
export function Services({ node }: { node: Node }) {
	const lab = useLab((s) => s.lab);
	const name = labelOf(lab, node.id);
	const add = (text: string) => ({ addService: { node: node.id, service: parseService(text).text } });
	const remove = (service: string) => ({ deleteService: { node: node.id, service } });
	return (
		<section className="inspector-part" aria-label="Services" data-testid="services">
			<h3>
				Services <span className="small">the lab answers</span>
			</h3>
			<ul className="addresses">
				{(node.services ?? []).map((text) => (
					<li key={text} data-testid="service">
						<EditableValue
							label={`Service of ${name}`}
							value={text}
							check={parseService}
							command={(to) => shell.service(lab, node.id, 'add', to)}
							apply={(to, outcome) => edit([remove(text), add(to)], outcome)}
						/>
						<button
							type="button"
							className="plain small"
							aria-label={`Delete the service ${text}`}
							title={shell.service(lab, node.id, 'del', text)}
							onClick={() => edit([remove(text)])}
						>
							×
						</button>
					</li>
				))}
				<li>
					<EditableValue
						label={`New service of ${name}: ${offers.join(', ')}`}
						value=""
						placeholder="add a service: http 80"
						testid="add-service"
						offers={offers.filter((o) => !node.services?.includes(o))}
						check={(text) => text.trim() === '' || parseService(text)}
						command={(text) => shell.service(lab, node.id, 'add', text)}
						apply={(text, outcome) => edit([add(text)], outcome)}
					/>
				</li>
			</ul>
		</section>
	);
}
