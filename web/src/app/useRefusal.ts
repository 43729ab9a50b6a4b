import { useCallback, useEffect, useRef, useState } from 'react';
import { toast } from '../session/actions';

/** Why the value of a field was refused. A refusal that comes when the field has gone is shown as a toast. */
export function useRefusal(): [string | undefined, (words: string | undefined) => void] {
	const [words, setWords] = useState<string>();
	const here = useRef(true);
	useEffect(() => {
		here.current = true;
		return () => {
			here.current = false;
		};
	}, []);
	const refused = useCallback((text: string | undefined) => {
		if (here.current) setWords(text);
		else if (text) toast({ kind: 'error', text });
	}, []);
	return [words, refused];
}
