// What an example says of itself: the first sentence after the title, in the comment at its top.

export function aboutExample(document: string): string {
	const comment: string[] = [];
	for (const line of document.split('\n')) {
		if (!line.startsWith('#')) break;
		comment.push(line.replace(/^#\s?/, ''));
	}
	const paragraphs = comment.join('\n').split(/\n\s*\n/);
	const text = (paragraphs[1] ?? '').replaceAll('\n', ' ').trim();
	return /^.*?[.](?=\s|$)/.exec(text)?.[0] ?? text;
}
