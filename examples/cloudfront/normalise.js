// A CloudFront function for viewer requests to a bucket that `klayers-pipeline export --s3 BUCKET`
// fills. It maps every spelling of a path to the name of its object.

function handler(event) {
    var request = event.request;
    // A doubled slash counts as one, and a trailing slash as none.
    var uri = request.uri.replace(/\/\/+/g, '/');
    if (uri === '/') {
        uri = '/index.html';
    } else if (uri.charAt(uri.length - 1) === '/') {
        uri = uri.slice(0, -1);
    }
    var parts = uri.split('/');
    if (parts[1] === 'api' && parts[2] === 'v1') {
        return gone(parts.slice(3));
    }
    var api = parts[1] === 'api' && parts[2] === 'v2';
    if (api && parts[4] === 'layers' && parts[5] === 'latest') {
        if (parts.length === 7) {
            uri += '/json';
        } else if (parts.length === 8 && !/^(json|csv|html)$/.test(parts[7])) {
            parts[7] = normalised(parts[7]);
            uri = parts.join('/');
        }
    } else if (api && (parts[4] === 'layers' || parts[4] === 'renovate') && parts.length === 7) {
        parts[6] = normalised(parts[6]);
        uri = parts.join('/');
    } else if (api && parts[3] === 'packages' && parts.length === 5) {
        parts[4] = normalised(parts[4]);
        uri = parts.join('/');
    } else if (parts[1] === 'packages' && parts.length === 3) {
        parts[2] = normalised(parts[2]);
        uri = parts.join('/');
    }
    request.uri = uri;
    return request;
}

// The name of a package as PEP 503 normalises it.
function normalised(name) {
    try {
        name = decodeURIComponent(name);
    } catch (error) {
        return name;
    }
    return /^[A-Za-z0-9._-]+$/.test(name) ? name.replace(/[-_.]+/g, '-').toLowerCase() : encodeURIComponent(name);
}

// API v1 is gone. Its paths named no target, since all layers were of Python 3.8.
function gone(parts) {
    var below = parts.join('/');
    var region = '[a-z]{2,}(-[a-z]{2,})+-[0-9]+';
    var name = '[A-Za-z0-9._-]+';
    var known = new RegExp('^(layers/' + region + '/' + name + '|layers/latest/' + region + '(/' + name + ')?|builds/latest)$');
    var detail = known.test(below)
        ? 'API v1 is gone; the same is at /api/v2/p3.8/' + below + ', where other Python versions have other targets in the place of p3.8'
        : 'API v1 is gone; see /api/v2/{target}/layers/latest/{region}';
    return {
        statusCode: 410,
        statusDescription: 'Gone',
        headers: {
            'content-type': { value: 'application/problem+json' },
            'cache-control': { value: 'no-store' },
            'access-control-allow-origin': { value: '*' },
            'x-content-type-options': { value: 'nosniff' }
        },
        body: JSON.stringify({ type: 'about:blank', title: 'Gone', status: 410, detail: detail })
    };
}
