// A CloudFront function for viewer requests, in front of a bucket that
// `klayers-pipeline export --s3 BUCKET` fills: it gives every spelling of a path the name of the
// object that it stands for.

function handler(event) {
    var request = event.request;
    var uri = request.uri;
    if (uri === '/') {
        uri = '/index.html';
    } else if (uri.charAt(uri.length - 1) === '/') {
        uri = uri.slice(0, -1);
    }
    var parts = uri.split('/');
    var api = parts[1] === 'api' && parts[2] === 'v2';
    if (api && parts[4] === 'layers' && parts[5] === 'latest') {
        if (parts.length === 7) {
            uri += '/json';
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
