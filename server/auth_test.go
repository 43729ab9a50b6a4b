package server

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"vethlab/labengine"
)

func body(t *testing.T, response *http.Response, err error) (int, string) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	data, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(data)
}

func TestLoginWithThePrintedURL(t *testing.T) {
	ts := serve(t)
	printed := ts.LoginURL(ts.http.URL)
	if token := strings.TrimPrefix(printed, ts.http.URL+"/login?token="); len(token) != 43 {
		t.Fatalf("printed: %s", printed)
	}
	browser := &http.Client{Transport: ts.http.Client().Transport}
	response, err := browser.Get(printed)
	status, page := body(t, response, err)
	if status != 200 || !strings.Contains(page, `content="0;url=/"`) {
		t.Errorf("%d\n%s", status, page)
	}
	cookies := response.Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies: %v", cookies)
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.MaxAge != 30*24*3600 || len(c.Value) != 43 {
		t.Errorf("cookie: %s", c)
	}
	response, err = browser.Get(printed) // without the cookie
	if status, page = body(t, response, err); status != 401 || !strings.Contains(page, "This link has been used") || !strings.Contains(page, "it prints a new URL") {
		t.Errorf("a used token: %d\n%s", status, page)
	}
	again, _ := http.NewRequest("GET", printed, nil)
	again.AddCookie(c)
	response, err = browser.Do(again)
	if status, page = body(t, response, err); status != 200 || !strings.Contains(page, "You are signed in") {
		t.Errorf("a used token with a session: %d\n%s", status, page)
	}
}

func TestExpiredTokensAndSessions(t *testing.T) {
	ts := serve(t)
	browser := ts.signIn()
	response, err := browser.Get(ts.http.URL + "/api/session")
	if status, text := body(t, response, err); status != 200 || !strings.Contains(text, `"author":"s-`) {
		t.Errorf("session: %d %s", status, text)
	}
	printed := ts.LoginURL(ts.http.URL)
	past := time.Now().Add(-time.Second).UnixMilli()
	for _, table := range []string{"login_tokens", "sessions"} {
		if _, err := ts.store.writes.Exec(`UPDATE `+table+` SET expires = ?`, past); err != nil {
			t.Fatal(err)
		}
	}
	response, err = browser.Get(printed)
	if status, text := body(t, response, err); status != 401 || !strings.Contains(text, "older than that") {
		t.Errorf("an expired token: %d\n%s", status, text)
	}
	response, err = browser.Get(ts.http.URL + "/api/session")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if p := wantProblem(t, response, 401, labengine.CodeUnauthorized); !strings.Contains(p.Hint, "open the URL") {
		t.Errorf("hint: %s", p.Hint)
	}
}

func TestLoginWithTheTokenForScripts(t *testing.T) {
	ts := serve(t)
	token, err := os.ReadFile(filepath.Join(ts.config.State, "token"))
	if err != nil {
		t.Fatal(err)
	}
	if info, _ := os.Stat(filepath.Join(ts.config.State, "token")); info.Mode().Perm() != 0o600 {
		t.Errorf("the token's file has mode %v", info.Mode())
	}
	post := func(token, origin, next string) (int, string) {
		form := url.Values{"token": {token}, "next": {next}}
		r, _ := http.NewRequest("POST", ts.http.URL+"/login", strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		response, err := ts.http.Client().Do(r)
		return body(t, response, err)
	}
	if status, page := post(string(token), ts.http.URL, "/labs/x"); status != 200 || !strings.Contains(page, `url=/labs/x`) {
		t.Errorf("%d\n%s", status, page)
	}
	if status, page := post(string(token), ts.http.URL, "//evil.example"); status != 200 || strings.Contains(page, "evil") {
		t.Errorf("an open redirect: %d\n%s", status, page)
	}
	if status, page := post("wrong", ts.http.URL, ""); status != 401 || !strings.Contains(page, "That is not the token") {
		t.Errorf("a wrong token: %d\n%s", status, page)
	}
	if status, _ := post(string(token), "http://evil.example", ""); status != 403 {
		t.Errorf("from another site: %d", status)
	}
}

func TestNobodyWhereTheyDoNotBelong(t *testing.T) {
	ts := serve(t)
	id := string(ts.newLab(`{}`))
	for _, path := range []string{"/metrics", "/api/openapi.json", "/api/schema.json", "/api/labs", "/api/labs/" + id, "/api/labs/" + id + "/ws", "/api/labs/" + id + "/terminal"} {
		wantProblem(t, ts.request("GET", path, "", "Authorization", ""), 401, labengine.CodeUnauthorized)
		wantProblem(t, ts.request("GET", path, "", "Authorization", "Bearer "+ts.bearer+"x"), 401, labengine.CodeUnauthorized)
	}
	for _, path := range []string{"/", "/labs/" + id} {
		response := ts.request("GET", path, "", "Authorization", "")
		if status, text := body(t, response, nil); status != 401 || !strings.Contains(text, "Sign in") {
			t.Errorf("%s: %d", path, status)
		}
	}
	wantProblem(t, ts.request("GET", "/api/labs", "", "Host", "evil.example"), 403, labengine.CodeForbidden)
	wantProblem(t, ts.request("GET", "/login", "", "Host", "evil.example:80"), 403, labengine.CodeForbidden)
	for _, host := range []string{"localhost", "localhost:5173", "127.0.0.1:1", "[::1]:80", "LOCALHOST"} {
		if r := ts.request("GET", "/api/labs", "", "Host", host); r.StatusCode != 200 {
			t.Errorf("as %s: %s", host, r.Status)
		}
	}
}

func TestForeignOrigin(t *testing.T) {
	ts := serve(t)
	id := string(ts.newLab(`{}`))
	browser := ts.signIn()
	u, _ := url.Parse(ts.http.URL)
	cookie := browser.Jar.Cookies(u)[0]
	try := func(method, path string, header ...string) *http.Response {
		return ts.request(method, path, "", append([]string{"Authorization", "", "Cookie", cookie.String()}, header...)...)
	}
	for _, origin := range []string{"http://evil.example", "null", "http://" + u.Hostname(), "https://evil.example/" + u.Host, "", "ftp://" + u.Host} {
		wantProblem(t, try("POST", "/api/labs", "Origin", origin), 403, labengine.CodeForbidden)
		wantProblem(t, try("DELETE", "/api/labs/"+id, "Origin", origin), 403, labengine.CodeForbidden)
		for _, socket := range []string{"/ws", "/terminal?id=1"} {
			header := http.Header{"Cookie": {cookie.String()}}
			if origin != "" {
				header.Set("Origin", origin)
			}
			_, response, err := ts.dial("/api/labs/"+id+socket, header)
			if err == nil {
				t.Errorf("a websocket from %q", origin)
				continue
			}
			wantProblem(t, response, 403, labengine.CodeForbidden)
		}
	}
	if r := try("GET", "/api/labs", "Origin", "http://evil.example"); r.StatusCode != 200 || r.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("reading: %s", r.Status) // the browser keeps the answer from the other site
	}
	if r := try("POST", "/api/labs", "Origin", ts.http.URL); r.StatusCode != 201 {
		t.Errorf("from our own page: %s", r.Status)
	}
	if r := try("POST", "/api/labs", "Sec-Fetch-Site", "same-origin"); r.StatusCode != 201 {
		t.Errorf("from our own page, without Origin: %s", r.Status)
	}
	ws, _, err := ts.dial("/api/labs/"+id+"/ws", http.Header{"Cookie": {cookie.String()}, "Origin": {ts.http.URL}})
	if err != nil {
		t.Fatal(err)
	}
	ws.Close()
	_, response, err := ts.dial("/api/labs/"+id+"/ws", http.Header{"Authorization": {"Bearer " + ts.bearer}, "Origin": {"http://evil.example"}})
	if err == nil {
		t.Fatal("a websocket from a foreign page with the bearer token")
	}
	wantProblem(t, response, 403, labengine.CodeForbidden)
}
