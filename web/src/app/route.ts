// Two places: the home, and a lab at /labs/{id}.
import { useSyncExternalStore } from 'react';

export function go(path: string): void {
	history.pushState(null, '', path);
	dispatchEvent(new PopStateEvent('popstate'));
}

function subscribe(changed: () => void): () => void {
	addEventListener('popstate', changed);
	return () => removeEventListener('popstate', changed);
}

export function useLabID(): string | undefined {
	const path = useSyncExternalStore(subscribe, () => location.pathname);
	const found = /^\/labs\/([^/]+)\/?$/.exec(path);
	return found?.[1] && decodeURIComponent(found[1]);
}
