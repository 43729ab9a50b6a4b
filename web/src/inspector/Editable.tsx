// A value that becomes an input on Enter or click: what will run is shown below it, a refusal stays there too.
import { useRef, useState } from 'react';
import type { Interface } from '../model/lab';
import { canonicalAddress } from '../model/names';
import { problemOf } from '../model/problem';
import { addAddress, deleteAddress } from '../model/shell';
import { addressNote, suggestAddressFor } from '../model/suggest';
import { edit } from '../session/actions';
import type { Lab } from '../wire/types.gen';

interface EditableProps {
	label: string;
	value: string;
	placeholder?: string;
	check: (text: string) => unknown;
	note?: (text: string) => string | undefined;
	command: (text: string) => string;
	apply: (text: string, refused: (words: string) => void) => boolean;
	start?: string;
	testid?: string;
}

export function EditableValue({
	label,
	value,
	placeholder,
	check,
	note,
	command,
	apply,
	start,
	testid,
}: EditableProps) {
	const [text, setText] = useState<string>();
	const [refusal, setRefusal] = useState<string>();
	const button = useRef<HTMLButtonElement>(null);
	const leave = () => {
		setText(undefined);
		setRefusal(undefined);
		requestAnimationFrame(() => button.current?.focus());
	};
	if (text === undefined) {
		return (
			<button
				ref={button}
				type="button"
				data-editable
				className="editable mono"
				aria-label={`${label}: ${value || placeholder || ''}`}
				data-testid={testid}
				onClick={() => setText(start ?? value)}
			>
				{value || <span className="small">{placeholder}</span>}
			</button>
		);
	}
	const problem = problemOf(() => check(text))?.message ?? refusal;
	const odd = problem ? undefined : note?.(text);
	return (
		<span className="editing">
			<input
				ref={(e) => {
					if (e && document.activeElement !== e) e.select();
				}}
				className="mono"
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
				onBlur={() => !problem && setText(undefined)}
				onKeyDown={(e) => {
					e.stopPropagation();
					if (e.key === 'Escape') leave();
					if (e.key === 'Enter' && !problem && (text === value || apply(text.trim(), setRefusal))) leave();
				}}
			/>
			<code className="will-run">{command(text.trim())}</code>
			{problem && <span className="field-problem">{problem}</span>}
			{odd && <span className="field-note">{odd}</span>}
		</span>
	);
}

/** An address of an interface, or the line that adds one. */
export function AddressLine({
	lab,
	iface,
	address,
	kernel,
}: {
	lab: Lab;
	iface: Interface;
	address?: string;
	kernel?: boolean;
}) {
	if (kernel) {
		return (
			<li className="mono small">
				{address} <span>kernel</span>
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
					apply={(text, refused) =>
						edit([{ addAddress: { interface: interfaceID, address: canonicalAddress(text) } }], refused)
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
				apply={(text, refused) =>
					edit(
						[
							{ deleteAddress: { interface: interfaceID, address } },
							...(text === '' ? [] : [{ addAddress: { interface: interfaceID, address: canonicalAddress(text) } }]),
						],
						refused,
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
