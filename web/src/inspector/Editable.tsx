// A value that becomes an input on Enter or click: what will run is shown below it, a refusal stays there too.
import { type ReactNode, useEffect, useId, useRef, useState } from 'react';
import { useLost } from '../app/useLost';
import { useRefusal } from '../app/useRefusal';
import { Words } from '../app/Words';
import type { Interface } from '../model/lab';
import { canonicalAddress } from '../model/names';
import { capital, type Problem, problemOf } from '../model/problem';
import { addAddress, deleteAddress } from '../model/shell';
import { addressNote, suggestAddressFor } from '../model/suggest';
import { edit, type Outcome } from '../session/actions';
import type { Lab } from '../wire/types.gen';

interface EditableProps {
	label: string;
	value: string;
	/** The value as it is read, where that is not how it is written. */
	shows?: ReactNode;
	placeholder?: string;
	check: (text: string) => unknown;
	note?: (text: string) => string | undefined;
	command: (text: string) => string;
	apply: (text: string, outcome: Outcome) => boolean;
	start?: string;
	/** What is likely wanted, offered while it is typed. */
	offers?: readonly string[];
	testid?: string;
}

export function EditableValue(props: EditableProps) {
	const { label, value, shows, placeholder, start, testid } = props;
	const [editing, setEditing] = useState(false);
	const button = useRef<HTMLButtonElement>(null);
	if (editing) {
		const leave = () => {
			const hadFocus = document.activeElement?.matches('.editing input');
			setEditing(false);
			if (!hadFocus) return;
			requestAnimationFrame(() => {
				if (document.activeElement === document.body) button.current?.focus(); // nobody has gone elsewhere meanwhile
			});
		};
		return <Line {...props} initial={start ?? value} leave={leave} fold={() => setEditing(false)} />;
	}
	return (
		<button
			ref={button}
			type="button"
			data-editable
			className="editable mono"
			aria-label={`${label}: ${value || placeholder || ''}`}
			data-testid={testid}
			onClick={() => setEditing(true)}
		>
			{shows ?? (value || <span className="small">{placeholder}</span>)}
		</button>
	);
}

/** The input: it stays, with its text, until the kernel has taken the value. */
function Line({
	label,
	value,
	initial,
	check,
	note,
	command,
	apply,
	offers,
	testid,
	leave,
	fold,
}: EditableProps & { initial: string; leave: () => void; fold: () => void }) {
	const [text, setText] = useState(initial);
	const [refusal, setRefusal] = useRefusal();
	const [sent, setSent] = useState(false);
	useLost(label, sent || text.trim() === initial ? undefined : text.trim());
	const list = useId();
	const whole = useRef<HTMLSpanElement>(null);
	const problem = wordsOf(problemOf(() => check(text))) ?? refusal;
	const odd = problem ? undefined : note?.(text);
	// biome-ignore lint/correctness/useExhaustiveDependencies: what comes below the line is to be seen, too
	useEffect(() => whole.current?.scrollIntoView({ block: 'nearest' }), [text, problem, odd]);
	const send = () => {
		if (problem || sent) return;
		if (text.trim() === value) {
			leave();
			return;
		}
		setSent(true);
		apply(text.trim(), {
			done: leave,
			refused: (words) => {
				setSent(false);
				setRefusal(words);
			},
		});
	};
	return (
		<span ref={whole} className="editing">
			<input
				ref={(e) => {
					if (e && document.activeElement !== e) e.select();
				}}
				className="mono"
				list={offers && offers.length > 0 ? list : undefined}
				aria-label={label}
				aria-invalid={problem !== undefined}
				value={text}
				spellCheck={false}
				autoComplete="off"
				data-testid={testid && `${testid}-input`}
				onChange={(e) => {
					setText(e.target.value);
					setRefusal(undefined);
				}}
				onBlur={() => !problem && !sent && fold()}
				onKeyDown={(e) => {
					e.stopPropagation();
					if (e.key === 'Escape') leave();
					if (e.key === 'Enter') send();
				}}
			/>
			{offers && (
				<datalist id={list}>
					{offers.map((o) => (
						<option key={o} value={o} />
					))}
				</datalist>
			)}
			<code className="will-run">{command(text.trim())}</code>
			{sent && <span className="small mark-sending">sending</span>}
			{problem && (
				<span className="field-problem" role="alert">
					<Words text={problem} />
				</span>
			)}
			{odd && <span className="field-note">{odd}</span>}
		</span>
	);
}

/** What is wrong with a line, and what would be right. */
function wordsOf(p: Problem | undefined): string | undefined {
	return p?.hint ? `${p.message}. ${capital(p.hint)}` : p?.message;
}

/** An address of an interface, or the line that adds one. */
export function AddressLine({
	lab,
	iface,
	address,
	readOnly,
}: {
	lab: Lab;
	iface: Interface;
	address?: string;
	readOnly?: string; // why
}) {
	if (readOnly) {
		return (
			<li className="mono small">
				{address} <span>{readOnly}</span>
			</li>
		);
	}
	const interfaceID = iface.id;
	const note = (text: string) => addressNote(lab, interfaceID, text);
	if (address === undefined) {
		return (
			<li>
				<EditableValue
					label={`New address of ${iface.name}`}
					value=""
					placeholder="add an address"
					testid={`add-address-${iface.name}`}
					start={
						iface.kind === 'veth' && iface.addresses.length === 0 ? (suggestAddressFor(lab, interfaceID) ?? '') : ''
					}
					check={canonicalAddress}
					note={note}
					command={(text) => addAddress(lab, iface, text)}
					apply={(text, outcome) =>
						edit([{ addAddress: { interface: interfaceID, address: canonicalAddress(text) } }], outcome)
					}
				/>
			</li>
		);
	}
	return (
		<li>
			<EditableValue
				label={`Address of ${iface.name}`}
				value={address}
				check={(text) => text.trim() === '' || canonicalAddress(text)}
				note={note}
				command={(text) =>
					text === ''
						? deleteAddress(lab, iface, address)
						: text === address
							? addAddress(lab, iface, text)
							: `${deleteAddress(lab, iface, address)} && ${addAddress(lab, iface, text)}`
				}
				apply={(text, outcome) =>
					edit(
						[
							{ deleteAddress: { interface: interfaceID, address } },
							...(text === '' ? [] : [{ addAddress: { interface: interfaceID, address: canonicalAddress(text) } }]),
						],
						outcome,
					)
				}
			/>
			<button
				type="button"
				className="plain small"
				aria-label={`Delete ${address}`}
				title={deleteAddress(lab, iface, address)}
				onClick={() => edit([{ deleteAddress: { interface: interfaceID, address } }])}
			>
				×
			</button>
		</li>
	);
}
