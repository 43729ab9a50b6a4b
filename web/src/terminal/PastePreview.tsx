import { useEffect, useRef, useState } from 'react';
import { useView } from '../session/stores';

interface Props {
	text: string;
	send: (keys: string) => void;
	leave: () => void;
}

/** Before several lines go to a program that runs each at once: all together, one by one, or not. */
export function PastePreview({ text, send, leave }: Props) {
	const [lines, setLines] = useState(() => text.replace(/\r?\n$/, '').split(/\r?\n/));
	const last = text.endsWith('\n') ? '\r' : ''; // the last line waits for Enter where none was copied
	const first = useRef<HTMLButtonElement>(null);
	useEffect(() => first.current?.focus(), []);
	const all = () => {
		send(lines.join('\r') + last);
		leave();
	};
	const next = () => {
		send(lines[0] + (lines.length > 1 ? '\r' : last));
		if (lines.length === 1) leave();
		else setLines(lines.slice(1));
	};
	return (
		<div
			role="dialog"
			aria-label="Paste several lines"
			className="paste-preview"
			data-testid="paste-preview"
			onKeyDown={(e) => {
				if (e.key === 'Escape') leave();
			}}
		>
			<p>
				{lines.length} {lines.length === 1 ? 'line' : 'lines'}, each run at once:
			</p>
			<pre>{lines.join('\n')}</pre>
			<p className="paste-actions">
				<button type="button" className="primary" ref={first} onClick={all}>
					Paste
				</button>
				<button type="button" onClick={next}>
					Line by line
				</button>
				<button
					type="button"
					onClick={() => {
						useView.setState({ pasteAsks: false });
						all();
					}}
				>
					Don’t ask again
				</button>
				<span className="grow" />
				<button type="button" className="plain" onClick={leave}>
					Leave it <kbd>Esc</kbd>
				</button>
			</p>
		</div>
	);
}
