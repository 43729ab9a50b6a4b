import { useState } from 'react';

interface Props {
	find: (text: string, back: boolean) => boolean | undefined;
	close: () => void;
}

/** Enter goes back in the output, where the newest is at the end; Shift+Enter forward. */
export function SearchLine({ find, close }: Props) {
	const [text, setText] = useState('');
	const [found, setFound] = useState(true);
	return (
		<search className="terminal-search">
			<input
				ref={(e) => e?.focus()}
				aria-label="Search in the terminal"
				placeholder="Search"
				value={text}
				onChange={(e) => {
					setText(e.target.value);
					setFound(e.target.value === '' || find(e.target.value, true) === true);
				}}
				onKeyDown={(e) => {
					e.stopPropagation();
					if (e.key === 'Escape') close();
					if (e.key === 'Enter') setFound(find(text, !e.shiftKey) === true);
				}}
			/>
			{!found && (
				<span className="field-problem" role="status">
					not found
				</span>
			)}
		</search>
	);
}
