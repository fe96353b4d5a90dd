package main

import "snug/web"

func init() {
	if files, built := web.FS(); built {
		webPage = files
	}
}
