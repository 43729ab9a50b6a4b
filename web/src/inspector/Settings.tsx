// A node's settings, sysctl(8): the router switch, and a table of the others in which what differs from a fresh namespace
// is marked.
import { useState } from 'react';
import type { Node } from '../model/lab';
import * as shell from '../model/shell';
import { freshSysctl, parseSysctl, settingOf, settings } from '../model/sysctl';
import { edit } from '../session/actions';
import { useLab } from '../session/stores';
import { EditableValue } from './Editable';

const forwarding = 'net.ipv4.ip_forward';
const usual = 10; // settings that are shown unless all are asked for

export function Settings({ node }: { node: Node }) {
	const lab = useLab((s) => s.lab);
	const [all, setAll] = useState(false);
	const router = settingOf(node.sysctls, forwarding) === '1';
	const set = (name: string, value: string) => ({ setSysctl: { node: node.id, name, value } });
	const own = (node.sysctls ?? []).map((s) => s.slice(0, s.indexOf('=')));
	const unknown = own.filter((name) => freshSysctl(name) === undefined);
	const rows = [
		...settings.filter((s, at) => s.name !== forwarding && (all || at < usual || own.includes(s.name))),
		...unknown.map((name) => ({ name, fresh: '', about: '' })),
	];
	const [open, setOpen] = useState(own.some((name) => name !== forwarding));
	return (
		<section className="inspector-part" aria-label="Settings" data-testid="settings">
			<h3>
				Settings
				<button
					type="button"
					role="switch"
					aria-checked={router}
					className="switch"
					title={shell.setSysctl(lab, node.id, forwarding, router ? '0' : '1')}
					data-testid="router-switch"
					onClick={() => edit([set(forwarding, router ? '' : '1')])}
				>
					router
				</button>
			</h3>
			<p className="small">
				{router ? 'passes on packets that are not for itself' : 'drops packets that are not for itself'}{' '}
				<code>ip_forward={router ? '1' : '0'}</code>
			</p>
			{open && (
				<table className="settings">
					<thead className="sr-only">
						<tr>
							<th scope="col">Setting</th>
							<th scope="col">Value</th>
						</tr>
					</thead>
					<tbody>
						{rows.map((s) => {
							const value = settingOf(node.sysctls, s.name);
							return (
								<tr key={s.name} className={own.includes(s.name) ? 'is-changed' : ''}>
									<th scope="row" title={s.name}>
										<span className="mono">{s.name.replace(/^net\./, '')}</span>
										<span className="small">{s.about}</span>
									</th>
									<td>
										<EditableValue
											label={s.name}
											value={value}
											check={(text) => text === '' || parseSysctl(`${s.name}=${text}`)}
											command={(text) => shell.setSysctl(lab, node.id, s.name, text)}
											apply={(text, outcome) => edit([set(s.name, text)], outcome)}
										/>
									</td>
									<td className="small">{own.includes(s.name) && s.fresh !== '' ? `fresh: ${s.fresh}` : ''}</td>
								</tr>
							);
						})}
					</tbody>
				</table>
			)}
			<button type="button" className="plain small" onClick={() => (open ? setAll(!all) : setOpen(true))}>
				{!open ? 'other settings' : all ? 'the usual ones' : 'all settings'}
			</button>
		</section>
	);
}
