// Copying on plain http, where `navigator.clipboard` is not there: the old way, and the truth about whether it worked.
import { toast } from '../session/actions';

export async function copyText(text: string): Promise<boolean> {
	try {
		if (navigator.clipboard) {
			await navigator.clipboard.writeText(text);
			return true;
		}
	} catch {
		// Refused: the old way may still work.
	}
	const before = document.activeElement as HTMLElement | null;
	const area = document.createElement('textarea');
	area.value = text;
	area.setAttribute('aria-hidden', 'true');
	area.className = 'copy-area';
	document.body.append(area);
	area.select();
	const worked = document.execCommand('copy');
	area.remove();
	before?.focus();
	if (!worked)
		toast({ kind: 'error', text: 'The browser did not allow copying. Select the text and use its own menu.' });
	return worked;
}
